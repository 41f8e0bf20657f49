// A slice and its evidence on two canvases, one over the other. Knows pixels; knows nothing of where they come from.

import { toColour, toOpacity, toSpan, toStrength } from "../rules/strength.js";

/** Draw a slice { pixels (H * W) uint8, width, height } at its own size. */
export function drawSlice(canvas, { pixels, width, height }) {
  const image = new ImageData(width, height);
  // One word a pixel: red, green, blue, opacity from the lowest byte up.
  const words = new Uint32Array(image.data.buffer);
  for (let at = 0; at < pixels.length; at++) words[at] = 0xff000000 | (pixels[at] * 0x010101);
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/**
 * Draw evidence { map, width, height, box } over a slice of that size, null for none. Each pixel is as opaque as
 * its strength says; how opaque the whole is, is the canvas's own opacity.
 */
export function drawEvidence(canvas, evidence, { width, height }) {
  Object.assign(canvas, { width, height });
  if (!evidence) return;
  const [left, right] = toSpan(evidence.box[0], evidence.box[2], width);
  const [top, bottom] = toSpan(evidence.box[1], evidence.box[3], height);
  const strength = toStrength(evidence, right - left, bottom - top);
  const image = new ImageData(right - left, bottom - top);
  strength.forEach((value, at) => {
    if (value > 0) image.data.set([...toColour(value), 255 * toOpacity(value)], 4 * at);
  });
  canvas.getContext("2d").putImageData(image, left, top);
}

/** Both canvases as one picture, for print. */
export function toPicture(slice, evidence, opacity) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: slice.width, height: slice.height });
  const context = canvas.getContext("2d");
  context.drawImage(slice, 0, 0);
  context.globalAlpha = opacity;
  if (evidence.width && evidence.height) context.drawImage(evidence, 0, 0);
  return canvas.toDataURL("image/png");
}
