// How many pixels of a PNG have a colour (#rrggbb), within a hair.
async ([bytes, colour]) => {
  const image = await createImageBitmap(new Blob([new Uint8Array(bytes)], { type: 'image/png' }));
  const pen = new OffscreenCanvas(image.width, image.height).getContext('2d');
  pen.drawImage(image, 0, 0);
  const { data } = pen.getImageData(0, 0, image.width, image.height);
  const want = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  let found = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (want.every((value, channel) => Math.abs(data[i + channel] - value) < 8)) found += 1;
  }
  return found;
}
