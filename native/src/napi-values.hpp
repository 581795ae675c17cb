// Values of JavaScript in C++, and exceptions of C++ in JavaScript.
#pragma once
#include <node_api.h>

#include <cmath>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>

namespace onefold {

// A JavaScript exception is pending already.
struct Pending {};

inline void check(napi_env env, napi_status status) {
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

inline View<float> floats(napi_env env, napi_value value) { return view<float>(env, value, napi_float32_array); }
inline View<double> doubles(napi_env env, napi_value value) { return view<double>(env, value, napi_float64_array); }

inline double number(napi_env env, napi_value value) {
  double result;
  check(env, napi_get_value_double(env, value, &result));
  return result;
}

inline uint64_t count(double value, double limit = 9007199254740991.0) {
  if (!(value >= 0 && value <= limit && value == std::floor(value))) throw std::invalid_argument("a count is out of range");
  return static_cast<uint64_t>(value);
}

inline napi_value makeNumber(napi_env env, double value) {
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

template <class T>
napi_value external(napi_env env, std::unique_ptr<T> data) {
  napi_value result;
  check(env, napi_create_external(env, data.get(), [](napi_env, void* it, void*) { delete static_cast<T*>(it); }, nullptr, &result));
  data.release();
  return result;
}

template <napi_value (*BODY)(napi_env, napi_value*), size_t COUNT>
void define(napi_env env, napi_value exports, const char* name) {
  napi_value function;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, entry<BODY, COUNT>, nullptr, &function) == napi_ok) {
    napi_set_named_property(env, exports, name, function);
  }
}

}  // namespace onefold
