/** A request of `POST /v1/score` as a call of the Open Inference Protocol over REST: every tensor as bytes, or all of it as JSON. */

const textBytes = (values) =>
  Buffer.concat(
    values.map((value) => {
      const bytes = Buffer.from(value);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return Buffer.concat([length, bytes]);
    }),
  );

const bytesOf = (typed) => Buffer.from(typed.buffer, typed.byteOffset, typed.byteLength);

/** One value of each row, or as many for each. */
const column = (name, rows) => {
  const [first] = rows;
  return Array.isArray(first) ? { name, shape: [rows.length, first.length], values: rows.flat() } : { name, shape: [rows.length], values: rows };
};

const tensorsOf = ({ viewType, time, features, candidates }) => [
  column('@view_type', [viewType]),
  column('@time', [time]),
  ...Object.entries(features).map(([name, value]) => column(name, [value])),
  ...Object.keys(candidates[0]).map((name) => column(name, candidates.map((candidate) => candidate[name]))),
];

const isText = ({ values: [first] }) => typeof first === 'string';
const isTime = ({ name }) => name.endsWith('@time');

const withBytes = (tensor) => {
  const { name, shape, values } = tensor;
  if (isText(tensor)) return { name, shape, datatype: 'BYTES', bytes: textBytes(values) };
  if (isTime(tensor)) return { name, shape, datatype: 'INT64', bytes: bytesOf(BigInt64Array.from(values, BigInt)) };
  return { name, shape, datatype: 'FP32', bytes: bytesOf(Float32Array.from(values)) };
};

/** @returns {{ body: Buffer, headerLength: number }} the call, and the bytes of its JSON: header `inference-header-content-length` */
export const binaryBody = (request) => {
  const tensors = tensorsOf(request).map(withBytes);
  const inputs = tensors.map(({ name, shape, datatype, bytes }) => ({ name, shape, datatype, parameters: { binary_data_size: bytes.length } }));
  const header = Buffer.from(JSON.stringify({ id: request.requestId, inputs, parameters: { binary_data_output: true } }));
  return { body: Buffer.concat([header, ...tensors.map(({ bytes }) => bytes)]), headerLength: header.length };
};

/** Numbers are FP64: what JSON says is what is encoded, and a price is on the same side of its bucket's boundary for everyone. */
export const jsonBody = (request) => {
  const datatype = (tensor) => (isText(tensor) ? 'BYTES' : isTime(tensor) ? 'INT64' : 'FP64');
  const inputs = tensorsOf(request).map((tensor) => ({ name: tensor.name, shape: tensor.shape, datatype: datatype(tensor), data: tensor.values }));
  return JSON.stringify({ id: request.requestId, inputs });
};
