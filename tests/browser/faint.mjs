// Contrast of every visible text against what lies behind it (WCAG 2.2, 1.4.3); returns what falls short.
() => {
  const rgba = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const over = (top, below) => top.slice(0, 3).map((c, i) => c * top[3] + below[i] * (1 - top[3]));
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const chain = (at) => (at ? [at, ...chain(at.parentElement)] : []);
  const short = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.data.trim();
    const at = walk.currentNode.parentElement;
    if (!text || at.closest('svg, .unseen, script, noscript') || !at.checkVisibility()) continue;
    const around = chain(at);
    const style = getComputedStyle(at);
    const ground = around.reduceRight((below, one) => over(rgba(getComputedStyle(one).backgroundColor), below), [255, 255, 255]);
    const veil = around.reduce((all, one) => all * Number(getComputedStyle(one).opacity), 1);
    const [r, g, b, a] = rgba(style.color);
    const [dark, bright] = [light(over([r, g, b, a * veil], ground)), light(ground)].sort((x, y) => x - y);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (bright + 0.05) / (dark + 0.05);
    if (ratio < (large ? 3 : 4.5)) short.push(`${ratio.toFixed(2)} ${text} (${at.className})`);
  }
  return short;
}
