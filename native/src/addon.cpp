// The N-API surface, called by src/kernels/native-kernel.ts alone. It checks sizes again where a wrong one would read or
// write outside a buffer.
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "levels.hpp"
#include "napi-values.hpp"
#include "table.hpp"

namespace {
using namespace onefold;

struct TableHandle {
  std::unique_ptr<Table> table;  // null once closed
};

struct KernelHandle {
  std::shared_ptr<Kernel> kernel;
};

Table& tableOf(napi_env env, napi_value value) {
  TableHandle& it = handle<TableHandle>(env, value);
  if (!it.table) throw std::invalid_argument("the table is closed");
  return *it.table;
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
  const Table& table = tableOf(env, arguments[0]);
  if (table.precision() != Precision::fp32) throw std::invalid_argument("the table is quantized already");
  auto result = std::make_unique<TableHandle>();
  result->table = std::make_unique<Table>(table, static_cast<Precision>(precision));
  return external(env, std::move(result));
}

// mapTable(kernel, file, width, rows, precision, offset, scalesOffset): a descriptor, which may be closed afterwards; precision as
// quantize, 0 fp32
napi_value mapTable(napi_env env, napi_value* arguments) {
  TableFile file{};
  file.descriptor = static_cast<int>(count(number(env, arguments[1]), 2147483647.0));
  file.precision = static_cast<Precision>(count(number(env, arguments[4]), 2));
  file.offset = count(number(env, arguments[5]));
  file.scalesOffset = count(number(env, arguments[6]));
  auto result = std::make_unique<TableHandle>();
  result->table = std::make_unique<Table>(handle<KernelHandle>(env, arguments[0]).kernel, static_cast<uint32_t>(count(number(env, arguments[2]), 65536)),
                                          count(number(env, arguments[3]), 4294967295.0), file);
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

Block readBlock(const double* fields) {
  Block block{};
  block.slotCount = static_cast<uint32_t>(count(fields[0], 65536));
  block.rowCount = static_cast<uint32_t>(count(fields[1], 2147483647.0));
  block.stride = count(fields[2], 4294967295.0);
  return block;
}

void readSlot(const double* fields, Slot& slot) {
  slot.base = count(fields[0]);
  slot.rows = static_cast<uint32_t>(count(fields[1], 4294967295.0));
  slot.offset = static_cast<uint32_t>(count(fields[2], 4294967295.0));
  slot.pooling = static_cast<Pooling>(count(fields[3], 3));
}

// `bounds` is how many offsets it has.
void checkSlot(const Table& table, const Block& block, const Slot& slot, size_t bounds) {
  const bool single = slot.pooling == Pooling::single;
  if (!single && bounds < size_t{block.rowCount} + 1) throw std::invalid_argument("a slot's offsets are too short");
  if (single && slot.idCount < block.rowCount) throw std::invalid_argument("a slot's ids are too short");
  if (slot.base + slot.rows > table.rows() || size_t{slot.offset} + table.width() > block.stride) {
    throw std::invalid_argument("a slot does not fit its table or block");
  }
}

// Reads blocks from `fields` (per block: BLOCK_FIELDS, then SLOT_FIELDS a slot) and flat lists of arrays.
void readBlocks(napi_env env, const Table& table, napi_value fields, napi_value ids, napi_value offsets, napi_value arrays, bool gradients,
                std::vector<Block>& blocks, std::vector<Slot>& slots) {
  const View<double> all = doubles(env, fields);
  std::vector<size_t> starts;
  uint32_t index = 0;
  for (size_t at = 0; at < all.length;) {
    if (at + BLOCK_FIELDS > all.length) throw std::invalid_argument("a block is cut short");
    Block block = readBlock(all.data + at);
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
      readSlot(all.data + at, slot);
      napi_value element;
      check(env, napi_get_element(env, ids, index, &element));
      const View<int32_t> values32 = view<int32_t>(env, element, napi_int32_array);
      slot.ids = values32.data;
      slot.idCount = values32.length;
      View<int32_t> bounds{};
      if (slot.pooling != Pooling::single) {
        check(env, napi_get_element(env, offsets, index, &element));
        bounds = view<int32_t>(env, element, napi_int32_array);
        slot.offsets = bounds.data;
      }
      checkSlot(table, block, slot, bounds.length);
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

constexpr size_t FEW_FIELDS = 6;  // base, rows, offset, pooling, ids, offsets

// lookupFew(table, fields, values, out): the same for one block whose ids and offsets are all in one array, which takes a few
// calls of N-API instead of some for each slot. Fields: BLOCK_FIELDS, then FEW_FIELDS a slot: `values` has that many ids of it
// next, then that many offsets.
napi_value lookupFew(napi_env env, napi_value* arguments) {
  Table& table = tableOf(env, arguments[0]);
  const View<double> fields = doubles(env, arguments[1]);
  const View<int32_t> values = view<int32_t>(env, arguments[2], napi_int32_array);
  const View<float> out = floats(env, arguments[3]);
  if (fields.length < BLOCK_FIELDS) throw std::invalid_argument("a block is cut short");
  Block block = readBlock(fields.data);
  block.out = out.data;
  if (fields.length < BLOCK_FIELDS + FEW_FIELDS * block.slotCount) throw std::invalid_argument("a block is cut short");
  if (block.slotCount > 0 && out.length < block.rowCount * block.stride) throw std::invalid_argument("a block's array is too short");
  std::vector<Slot> slots(block.slotCount);
  const double* field = fields.data + BLOCK_FIELDS;
  size_t at = 0;
  for (Slot& slot : slots) {
    readSlot(field, slot);
    slot.idCount = count(field[4], 2147483647.0);
    const size_t bounds = count(field[5], 2147483647.0);
    if (at + slot.idCount + bounds > values.length) throw std::invalid_argument("a slot's ids are cut short");
    slot.ids = values.data + at;
    if (slot.pooling != Pooling::single) slot.offsets = slot.ids + slot.idCount;
    checkSlot(table, block, slot, bounds);
    at += slot.idCount + bounds;
    field += FEW_FIELDS;
  }
  block.slots = slots.data();
  if (const auto fault = table.lookup(block)) return makeFault(env, *fault);
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

}  // namespace

NAPI_MODULE_INIT() {
  define<levels, 0>(env, exports, "levels");
  define<createKernel, 2>(env, exports, "createKernel");
  define<createTable, 4>(env, exports, "createTable");
  define<quantize, 2>(env, exports, "quantize");
  define<mapTable, 7>(env, exports, "mapTable");
  define<closeTable, 1>(env, exports, "closeTable");
  define<copyRows<false>, 4>(env, exports, "readRows");
  define<copyRows<true>, 4>(env, exports, "writeRows");
  define<lookup, 5>(env, exports, "lookup");
  define<lookupFew, 4>(env, exports, "lookupFew");
  define<update, 6>(env, exports, "update");
  define<norm, 2>(env, exports, "squaredNorm");
  define<adam, 6>(env, exports, "denseAdam");
  return exports;
}
