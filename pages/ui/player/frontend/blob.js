// The film's bytes (see blob.py, packing.py and quantisation.py).

const TYPES = { f4: Float32Array, i4: Int32Array, u2: Uint16Array, u1: Uint8Array };
const PLACE_STEPS = 65535, SHARE_STEPS = 65534;

function headerOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = 4 + view.getUint32(0, true);
  return [JSON.parse(new TextDecoder().decode(bytes.subarray(4, end))), end];
}

async function readBlob(bytes) {
  const [header, bodyStart] = headerOf(bytes);
  const inflated = new Blob([bytes.subarray(bodyStart)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const body = await new Response(inflated).arrayBuffer(), arrays = {};
  for (const { name, type, length, offset } of header.arrays) {
    const array = arrays[name] = new TYPES[type](body, offset, length);
    // Integers are differences; adding wraps around as subtracting did.
    if (type !== "f4") for (let i = 1; i < length; i++) array[i] += array[i - 1];
  }
  return { header, arrays };
}

function placesOf(codes, [least, most]) {
  return Float32Array.from(codes, (code) => least + code / PLACE_STEPS * (most - least));
}

function sharesOf(codes, [least, most]) {
  return Float32Array.from(codes, (code) =>
    code ? Math.exp(least + (code - 1) / SHARE_STEPS * (most - least)) : 0);
}
