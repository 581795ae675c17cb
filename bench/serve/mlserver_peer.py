"""The same export as a custom runtime of MLServer: raw features by name over the Open Inference Protocol, the user once."""
import asyncio
from concurrent.futures import ThreadPoolExecutor

from mlserver import MLModel
from mlserver.types import InferenceResponse, ResponseOutput

from scoring import open_export


def rows(tensor):
    """A tensor's values, one for each row of its first dimension."""
    values, (count, *each) = tensor.data.root, tensor.shape
    return [values[row * each[0] : (row + 1) * each[0]] for row in range(count)] if each else values


class Scorer(MLModel):
    async def load(self):
        self.encoder, self.run = open_export(self.settings.parameters.uri, "onnxruntime")
        # onnxruntime lets go of Python's lock: the next request is parsed and encoded while this one runs. One thread, as there
        # are two cores: with the default pool's, which has more, it answered a fifth fewer requests.
        self.runner = ThreadPoolExecutor(1)
        return True

    async def predict(self, payload):
        tensors = {tensor.name: tensor for tensor in payload.inputs}
        values = lambda name: rows(tensors[name])
        feeds = self.encoder.encode(*values("@view_type"), *values("@time"), tensors["ad_id"].shape[0], values, values)
        outputs = await asyncio.get_running_loop().run_in_executor(self.runner, self.run, feeds)
        answers = [ResponseOutput(name=name, shape=[len(scores)], datatype="FP32", data=scores.tolist()) for name, scores in outputs.items()]
        return InferenceResponse(model_name=self.name, outputs=answers)
