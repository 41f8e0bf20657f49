// Encapsulated pixel data -> stored words, by transfer syntax (PS3.5 10, A.4). The home of the vendored decoders,
// each loaded when a file first needs it. Knows nothing of what the words mean.

import { ReadError } from "../errors.js";
import { decodeRle } from "./rle.js";

const VENDORED = "../../../vendored/";
const SYNTAX = "1.2.840.10008.1.2.";
const IS_LOSSY_8 = [`${SYNTAX}4.50`, `${SYNTAX}4.51`];
const IS_LOSSLESS = [`${SYNTAX}4.57`, `${SYNTAX}4.70`];
const IS_LS = [`${SYNTAX}4.80`, `${SYNTAX}4.81`];
const IS_2000 = ["90", "91", "201", "202", "203"].map((last) => `${SYNTAX}4.${last}`); // the latter high-throughput
const IS_RLE = `${SYNTAX}5`;

const loaded = new Map();

/**
 * Decode one frame to { words, precision }: words (rows * columns) of the type that `header` declares; `precision`
 * is how many bits of them count where the codestream itself says so, else null. Throws ReadError.
 */
export async function decodeFrame(frame, syntax, header) {
  if (syntax === IS_RLE) {
    const bytes = decodeRle(frame, header.rows * header.columns, header.bitsAllocated / 8);
    return { words: toWords(bytes, header), precision: null };
  }
  if (IS_LOSSY_8.includes(syntax)) return { words: await decodeBaseline(frame, header), precision: 8 };
  if (IS_LOSSLESS.includes(syntax)) return { words: await decodeLossless(frame, header), precision: null };
  if (IS_LS.includes(syntax)) return decodeByWasm("charls", "JpegLSDecoder", frame, header);
  if (IS_2000.includes(syntax)) return decodeByWasm("openjpeg", "J2KDecoder", frame, header);
  throw new ReadError("transfer_syntax", { syntax });
}

/** Bytes, little-endian, as words (rows * columns) of the type that `header` declares. Throws where they are too few. */
export function toWords(bytes, { rows, columns, bitsAllocated, signed }) {
  const size = (rows * columns * bitsAllocated) / 8;
  if (bytes.length < size) throw new ReadError("cut_off", { got: bytes.length, expected: size });
  const Words = wordType(bitsAllocated, signed);
  return new Words(bytes.slice(0, size).buffer);
}

function wordType(bits, signed) {
  if (bits === 8) return signed ? Int8Array : Uint8Array;
  if (bits === 16) return signed ? Int16Array : Uint16Array;
  return signed ? Int32Array : Uint32Array;
}

async function decodeBaseline(frame, header) {
  const bitmap = await createImageBitmap(new Blob([frame], { type: "image/jpeg" }), { colorSpaceConversion: "none" });
  checkSize(bitmap.width, bitmap.height, 1, header);
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const rgba = context.getImageData(0, 0, bitmap.width, bitmap.height).data;
  const words = new (wordType(header.bitsAllocated, header.signed))(rgba.length / 4);
  for (let at = 0; at < words.length; at++) words[at] = rgba[4 * at];
  return words;
}

async function decodeLossless(frame, header) {
  const { Decoder } = await import(`${VENDORED}jpeg-lossless.js`);
  const decoder = new Decoder();
  const buffer = decoder.decompress(frame.slice().buffer, 0, frame.length);
  checkSize(decoder.frame.dimX, decoder.frame.dimY, decoder.frame.numComp, header);
  const decoded = decoder.frame.precision > 8 ? new Uint16Array(buffer) : new Uint8Array(buffer);
  return wordType(header.bitsAllocated, header.signed).from(decoded);
}

async function decodeByWasm(name, kind, frame, header) {
  if (!loaded.has(name)) loaded.set(name, loadCodec(name));
  const codec = await loaded.get(name);
  const decoder = new codec[kind]();
  try {
    decoder.getEncodedBuffer(frame.length).set(frame);
    decoder.decode();
    const { width, height, componentCount, bitsPerSample } = decoder.getFrameInfo();
    checkSize(width, height, componentCount, header);
    // A copy: the decoder's memory goes with it.
    const bytes = decoder.getDecodedBuffer().slice();
    const bitsAllocated = bitsPerSample > 8 ? 16 : 8;
    const words = wordType(header.bitsAllocated, header.signed).from(toWords(bytes, { ...header, bitsAllocated }));
    return { words, precision: bitsPerSample };
  } finally {
    decoder.delete();
  }
}

async function loadCodec(name) {
  const here = new URL(VENDORED, import.meta.url);
  const [{ default: create }, response] = await Promise.all([
    import(`${VENDORED}${name}.js`),
    fetch(new URL(`${name}.wasm`, here)),
  ]);
  return create({ wasmBinary: await response.arrayBuffer() });
}

function checkSize(width, height, components, header) {
  if (width !== header.columns || height !== header.rows || components !== 1) throw new ReadError("undecodable");
}
