// Every text that a person sees or hears, but names of people and sources, and the button that names the other language.
() => {
  const apart = 'cite, bdi, button[lang], script, noscript';
  const spoken = ['title', 'aria-label', 'placeholder', 'alt'];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [document.title];
  while (walk.nextNode()) {
    const at = walk.currentNode.parentElement;
    if (!at.closest(apart) && walk.currentNode.data.trim()) found.push(walk.currentNode.data.trim());
  }
  for (const at of document.querySelectorAll('[title], [aria-label], [placeholder], [alt]')) {
    // what a device or a part said of itself is quoted as it said it
    if (at.closest(apart) || at.translate === false) continue;
    found.push(...spoken.map((name) => at.getAttribute(name)).filter(Boolean));
  }
  return found;
}
