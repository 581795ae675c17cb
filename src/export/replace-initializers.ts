import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { ArtifactError } from '../config/errors.js';
import { parameter } from '../graph/inputs.js';
import { initializerProto, type InlineInitializer } from '../graph/onnx/initializer.js';
import { ModelProtoSchema } from '../graph/onnx/onnx_pb.js';

/**
 * An ONNX model with other values for some of its initializers, which may have other shapes; all else stays as it is.
 *
 * @param model bytes of the model
 * @param where its path, for messages
 * @throws ArtifactError when it has no initializer of a name
 */
export const replaceInitializers = (model: Uint8Array, values: ReadonlyMap<string, InlineInitializer>, where: string): Uint8Array => {
  const parsed = fromBinary(ModelProtoSchema, model);
  const { initializer } = parsed.graph!;
  for (const [name, value] of values) {
    const place = initializer.findIndex((one) => one.name === name);
    if (place < 0) {
      throw new ArtifactError(`${where} has no initializer "${name}"`, { where, expected: 'a graph that this version of onefold exported', fix: 'export the model again' });
    }
    initializer[place] = initializerProto(parameter(name, value.shape, 'float32'), value);
  }
  return toBinary(ModelProtoSchema, parsed);
};
