// The N-API surface, called by src/kernels/native-kernel.ts alone. It checks sizes again where a wrong one would read or
// write outside a buffer.
#include <node_api.h>

#include <cmath>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#include "levels.hpp"
#include "table.hpp"

namespace {
using namespace onefold;

struct TableHandle {
  std::unique_ptr<Table> table;  // null once closed
};

struct KernelHandle {
  std::shared_ptr<Kernel> kernel;
};

// A JavaScript exception is pending already.
struct Pending {};

void check(napi_env env, napi_status status) {
  if (status == napi_ok) return;
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) throw std::invalid_argument("wrong argument");
  throw Pending();
}

// Runs a call's body; what it throws becomes a JavaScript exception.
template <napi_value (*BODY)(napi_env, napi_value*), size_t COUNT>
napi_value entry(napi_env env, napi_callback_info info) {
  napi_value arguments[COUNT == 0 ? 1 : COUNT];
  size_t count = COUNT;
  try {
    check(env, napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr));
    if (count < COUNT) throw std::invalid_argument("too few arguments");
    return BODY(env, arguments);
  } catch (const Pending&) {
  } catch (const std::bad_alloc&) {
    napi_throw_error(env, "ERR_OUT_OF_MEMORY", "the native kernel ran out of memory");
  } catch (const std::exception& error) {
    napi_throw_error(env, "ERR_INVALID_ARG_VALUE", error.what());
  }
  return nullptr;
}

template <class T>
struct View {
  T* data;
  size_t length;
};

template <class T>
View<T> view(napi_env env, napi_value value, napi_typedarray_type expected) {
  napi_typedarray_type type;
  size_t length;
  void* data;
  check(env, napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr));
  if (type != expected) throw std::invalid_argument("wrong typed array");
  return {static_cast<T*>(data), length};
}

View<float> floats(napi_env env, napi_value value) { return view<float>(env, value, napi_float32_array); }
View<double> doubles(napi_env env, napi_value value) { return view<double>(env, value, napi_float64_array); }

double number(napi_env env, napi_value value) {
  double result;
  check(env, napi_get_value_double(env, value, &result));
  return result;
}

uint64_t count(double value, double limit = 9007199254740991.0) {
  if (!(value >= 0 && value <= limit && value == std::floor(value))) throw std::invalid_argument("a count is out of range");
  return static_cast<uint64_t>(value);
}

napi_value makeNumber(napi_env env, double value) {
  napi_value result;
  check(env, napi_create_double(env, value, &result));
  return result;
}

template <class T>
T& handle(napi_env env, napi_value value) {
  void* data;
  check(env, napi_get_value_external(env, value, &data));
  return *static_cast<T*>(data);
}

Table& tableOf(napi_env env, napi_value value) {
  TableHandle& it = handle<TableHandle>(env, value);
  if (!it.table) throw std::invalid_argument("the table is closed");
  return *it.table;
}

template <class T>
napi_value external(napi_env env, std::unique_ptr<T> data) {
  napi_value result;
  check(env, napi_create_external(env, data.get(), [](napi_env, void* it, void*) { delete static_cast<T*>(it); }, nullptr, &result));
  data.release();
  return result;
}

// levels(): names of the SIMD levels that this processor runs, best first.
napi_value levels(napi_env env, napi_value*) {
  const Level* supported[3];
  const size_t length = supportedLevels(supported);
  napi_value result;
  check(env, napi_create_array_with_length(env, length, &result));
  for (size_t i = 0; i < length; ++i) {
    napi_value name;
    check(env, napi_create_string_utf8(env, supported[i]->name, NAPI_AUTO_LENGTH, &name));
    check(env, napi_set_element(env, result, static_cast<uint32_t>(i), name));
  }
  return result;
}

// createKernel(threads, level)
napi_value createKernel(napi_env env, napi_value* arguments) {
  const auto threads = static_cast<unsigned>(count(number(env, arguments[0]), 1024));
  char name[16] = {};
  size_t length = 0;
  check(env, napi_get_value_string_utf8(env, arguments[1], name, sizeof name, &length));
  const Level* const level = chooseLevel(length == 0 ? nullptr : name);
  if (!level) throw std::invalid_argument("this processor does not run that SIMD level");
  auto result = std::make_unique<KernelHandle>();
  result->kernel.reset(new Kernel{ThreadPool(threads == 0 ? 1 : threads), *level});
  return external(env, std::move(result));
}

// createTable(kernel, width, rows, optimizer): 0 none, 1 adagrad, 2 adam, 3 sgd
napi_value createTable(napi_env env, napi_value* arguments) {
  auto result = std::make_unique<TableHandle>();
  result->table = std::make_unique<Table>(
      handle<KernelHandle>(env, arguments[0]).kernel, static_cast<uint32_t>(count(number(env, arguments[1]), 65536)),
      count(number(env, arguments[2]), 4294967295.0), static_cast<OptimizerType>(count(number(env, arguments[3]), 3)));
  return external(env, std::move(result));
}

// quantize(table, precision): 1 fp16, 2 int8
napi_value quantize(napi_env env, napi_value* arguments) {
  const uint64_t precision = count(number(env, arguments[1]), 2);
  if (precision == 0) throw std::invalid_argument("unknown precision");
  auto result = std::make_unique<TableHandle>();
  result->table = std::make_unique<Table>(tableOf(env, arguments[0]), static_cast<Precision>(precision));
  return external(env, std::move(result));
}

// closeTable(table)
napi_value closeTable(napi_env env, napi_value* arguments) {
  handle<TableHandle>(env, arguments[0]).table.reset();
  return nullptr;
}

// readRows(table, part, first, values) and writeRows(...)
template <bool WRITE>
napi_value copyRows(napi_env env, napi_value* arguments) {
  Table& table = tableOf(env, arguments[0]);
  Part* const part = table.part(count(number(env, arguments[1]), 3));
  const uint64_t first = count(number(env, arguments[2]), 4294967295.0);
  const View<float> values = floats(env, arguments[3]);
  if (!part || first * part->width + values.length > table.rows() * part->width) throw std::invalid_argument("rows outside the table");
  float* const rows = static_cast<float*>(part->memory.data()) + first * part->width;
  if (values.length > 0) std::memcpy(WRITE ? rows : values.data, WRITE ? values.data : rows, values.length * sizeof(float));
  return nullptr;
}

constexpr size_t SLOT_FIELDS = 4;   // base, rows, offset, pooling
constexpr size_t BLOCK_FIELDS = 3;  // slots, rows, stride

// Reads blocks from `fields` (per block: BLOCK_FIELDS, then SLOT_FIELDS a slot) and flat lists of arrays.
void readBlocks(napi_env env, const Table& table, napi_value fields, napi_value ids, napi_value offsets, napi_value arrays, bool gradients,
                std::vector<Block>& blocks, std::vector<Slot>& slots) {
  const View<double> all = doubles(env, fields);
  std::vector<size_t> starts;
  uint32_t index = 0;
  for (size_t at = 0; at < all.length;) {
    if (at + BLOCK_FIELDS > all.length) throw std::invalid_argument("a block is cut short");
    Block block{};
    block.slotCount = static_cast<uint32_t>(count(all.data[at], 65536));
    block.rowCount = static_cast<uint32_t>(count(all.data[at + 1], 2147483647.0));
    block.stride = count(all.data[at + 2], 1e12);
    at += BLOCK_FIELDS;
    if (at + SLOT_FIELDS * block.slotCount > all.length) throw std::invalid_argument("a block is cut short");
    napi_value array;
    check(env, napi_get_element(env, arrays, static_cast<uint32_t>(blocks.size()), &array));
    const View<float> values = floats(env, array);
    if (block.slotCount > 0 && values.length < block.rowCount * block.stride) throw std::invalid_argument("a block's array is too short");
    if (gradients) block.gradient = values.data;
    else block.out = values.data;
    starts.push_back(slots.size());
    for (uint32_t s = 0; s < block.slotCount; ++s, ++index, at += SLOT_FIELDS) {
      Slot slot{};
      slot.base = count(all.data[at]);
      slot.rows = static_cast<uint32_t>(count(all.data[at + 1], 4294967295.0));
      slot.offset = static_cast<uint32_t>(count(all.data[at + 2], 4294967295.0));
      slot.pooling = static_cast<Pooling>(count(all.data[at + 3], 3));
      napi_value element;
      check(env, napi_get_element(env, ids, index, &element));
      const View<int32_t> values32 = view<int32_t>(env, element, napi_int32_array);
      slot.ids = values32.data;
      slot.idCount = values32.length;
      if (slot.pooling != Pooling::single) {
        check(env, napi_get_element(env, offsets, index, &element));
        const View<int32_t> bounds = view<int32_t>(env, element, napi_int32_array);
        if (bounds.length < size_t{block.rowCount} + 1) throw std::invalid_argument("a slot's offsets are too short");
        slot.offsets = bounds.data;
      } else if (slot.idCount < block.rowCount) {
        throw std::invalid_argument("a slot's ids are too short");
      }
      if (slot.base + slot.rows > table.rows() || size_t{slot.offset} + table.width() > block.stride) {
        throw std::invalid_argument("a slot does not fit its table or block");
      }
      slots.push_back(slot);
    }
    blocks.push_back(block);
  }
  for (size_t b = 0; b < blocks.size(); ++b) blocks[b].slots = slots.data() + starts[b];
}

// [block, slot, 1 where its offsets are wrong, position of the id]
napi_value makeFault(napi_env env, const Fault& fault) {
  napi_value result;
  check(env, napi_create_array_with_length(env, 4, &result));
  const double fields[] = {double(fault.block), double(fault.slot), double(fault.badOffsets), double(fault.position)};
  for (uint32_t i = 0; i < 4; ++i) check(env, napi_set_element(env, result, i, makeNumber(env, fields[i])));
  return result;
}

// lookup(table, fields, ids, offsets, outs): a fault, or undefined
napi_value lookup(napi_env env, napi_value* arguments) {
  Table& table = tableOf(env, arguments[0]);
  std::vector<Block> blocks;
  std::vector<Slot> slots;
  readBlocks(env, table, arguments[1], arguments[2], arguments[3], arguments[4], false, blocks, slots);
  for (const Block& block : blocks) if (const auto fault = table.lookup(block)) return makeFault(env, *fault);
  return nullptr;
}

// update(table, fields, ids, offsets, gradients, optimizer): a fault, or the number of rows. Optimizer: type (as createTable),
// l2, learningRate, epsilon, weightDecay, beta1, beta2, firstCorrection, secondCorrection.
napi_value update(napi_env env, napi_value* arguments) {
  Table& table = tableOf(env, arguments[0]);
  std::vector<Block> blocks;
  std::vector<Slot> slots;
  readBlocks(env, table, arguments[1], arguments[2], arguments[3], arguments[4], true, blocks, slots);
  const View<double> o = doubles(env, arguments[5]);
  if (o.length != 9) throw std::invalid_argument("an optimizer has nine fields");
  Optimizer optimizer{};
  optimizer.type = static_cast<OptimizerType>(count(o.data[0], 3));
  if (optimizer.type != table.optimizer() || optimizer.type == OptimizerType::none) throw std::invalid_argument("not the table's optimizer");
  optimizer.l2 = o.data[1] != 0 && o.data[4] != 0;
  optimizer.learningRate = static_cast<float>(o.data[2]);
  optimizer.epsilon = static_cast<float>(o.data[3]);
  optimizer.weightDecay = static_cast<float>(o.data[4]);
  optimizer.beta1 = static_cast<float>(o.data[5]);
  optimizer.beta2 = static_cast<float>(o.data[6]);
  optimizer.rest1 = static_cast<float>(1 - o.data[5]);
  optimizer.rest2 = static_cast<float>(1 - o.data[6]);
  optimizer.kept = static_cast<float>(1 - o.data[2] * o.data[4]);
  optimizer.rate = static_cast<float>(o.data[2] / o.data[7]);
  optimizer.rootScale = static_cast<float>(1 / std::sqrt(o.data[8]));
  size_t updated = 0;
  if (const auto fault = table.update(blocks, slots, optimizer, updated)) return makeFault(env, *fault);
  return makeNumber(env, static_cast<double>(updated));
}

// squaredNorm(kernel, values)
napi_value norm(napi_env env, napi_value* arguments) {
  const View<float> values = floats(env, arguments[1]);
  return makeNumber(env, squaredNorm(*handle<KernelHandle>(env, arguments[0]).kernel, values.data, values.length));
}

// denseAdam(kernel, parameter, first, second, gradient, step). Step: learningRate, beta1, beta2, epsilon, weightDecay,
// decoupled, firstCorrection, secondCorrection, gradientScale.
napi_value adam(napi_env env, napi_value* arguments) {
  View<float> arrays[4];
  for (int i = 0; i < 4; ++i) arrays[i] = floats(env, arguments[1 + i]);
  for (const auto& array : arrays) if (array.length != arrays[0].length) throw std::invalid_argument("lengths differ");
  const View<double> s = doubles(env, arguments[5]);
  if (s.length != 9) throw std::invalid_argument("a step has nine fields");
  const bool decoupled = s.data[5] != 0;
  DenseAdam step{};
  step.beta1 = static_cast<float>(s.data[1]);
  step.beta2 = static_cast<float>(s.data[2]);
  step.rest1 = static_cast<float>(1 - s.data[1]);
  step.rest2 = static_cast<float>(1 - s.data[2]);
  step.epsilon = static_cast<float>(s.data[3]);
  step.l2 = decoupled ? 0.0f : static_cast<float>(s.data[4]);
  step.kept = decoupled ? static_cast<float>(1 - s.data[0] * s.data[4]) : 1.0f;
  step.rate = static_cast<float>(s.data[0] / s.data[6]);
  step.rootScale = static_cast<float>(1 / std::sqrt(s.data[7]));
  step.gradientScale = static_cast<float>(s.data[8]);
  denseAdam(*handle<KernelHandle>(env, arguments[0]).kernel, arrays[0].data, arrays[1].data, arrays[2].data, arrays[3].data,
            arrays[0].length, step);
  return nullptr;
}

template <napi_value (*BODY)(napi_env, napi_value*), size_t COUNT>
void define(napi_env env, napi_value exports, const char* name) {
  napi_value function;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, entry<BODY, COUNT>, nullptr, &function) == napi_ok) {
    napi_set_named_property(env, exports, name, function);
  }
}

}  // namespace

NAPI_MODULE_INIT() {
  define<levels, 0>(env, exports, "levels");
  define<createKernel, 2>(env, exports, "createKernel");
  define<createTable, 4>(env, exports, "createTable");
  define<quantize, 2>(env, exports, "quantize");
  define<closeTable, 1>(env, exports, "closeTable");
  define<copyRows<false>, 4>(env, exports, "readRows");
  define<copyRows<true>, 4>(env, exports, "writeRows");
  define<lookup, 5>(env, exports, "lookup");
  define<update, 6>(env, exports, "update");
  define<norm, 2>(env, exports, "squaredNorm");
  define<adam, 6>(env, exports, "denseAdam");
  return exports;
}
