// The functions of LibTorch that its C ABI lacks, behind guards: C++ functions, called by the names
// that a compiler gives them.
#include "torch.h"

namespace gammanet {
namespace {

// A handle points to an at::Tensor, whose only member is a pointer to its c10::TensorImpl. A member
// function takes that pointer first; a reference that is returned is a pointer.
struct TensorImpl;
struct TensorObject {
  TensorImpl* implementation;
};

template <class Function>
Function function(const char* itanium, const char* microsoft) {
#ifdef _WIN32
  const char* name = microsoft;
  (void)itanium;
#else
  const char* name = itanium;
  (void)microsoft;
#endif
  const auto found = reinterpret_cast<Function>(torch_symbol(name));
  if (found == nullptr) {
    unavailable("this LibTorch does not export %s", name);
  }
  return found;
}

bool is_defined(AtenTensorHandle tensor) {
  bool defined = false;
  torch_check(torch().is_defined(tensor, &defined), "aoti_torch_is_defined");
  return defined;
}

TensorImpl* implementation(AtenTensorHandle tensor, const char* what) {
  if (tensor == nullptr || !is_defined(tensor)) {
    invalid("%s is null or undefined", what);
  }
  return reinterpret_cast<const TensorObject*>(tensor)->implementation;
}

}  // namespace
}  // namespace gammanet

using namespace gammanet;

extern "C" {

int32_t gammanet_torch_set_num_threads(int32_t threads) {
  return guarded([&] {
    if (threads < 1) {
      invalid("threads must be at least 1, not %d", static_cast<int>(threads));
    }
    function<void (*)(int)>("_ZN2at15set_num_threadsEi", "?set_num_threads@at@@YAXH@Z")(threads);
  });
}

int32_t gammanet_torch_requires_grad(AtenTensorHandle tensor, int32_t* ret) {
  return guarded([&] {
    TensorImpl* impl = implementation(tensor, "tensor");
    *ret = function<bool (*)(const TensorImpl*)>("_ZNK3c1010TensorImpl13requires_gradEv",
                                                 "?requires_grad@TensorImpl@c10@@QEBA_NXZ")(impl);
  });
}

int32_t gammanet_torch_grad(AtenTensorHandle tensor, AtenTensorHandle* ret) {
  return guarded([&] {
    TensorImpl* impl = implementation(tensor, "tensor");
    const auto gradient = function<AtenTensorHandle (*)(const TensorImpl*)>(
        "_ZNK3c1010TensorImpl4gradEv", "?grad@TensorImpl@c10@@QEBAAEBVTensor@at@@XZ")(impl);
    AtenTensorHandle result = nullptr;
    if (is_defined(gradient)) {
      torch_check(torch().new_tensor_handle(gradient, &result), "aoti_torch_new_tensor_handle");
    }
    *ret = result;
  });
}

int32_t gammanet_torch_bump_version(AtenTensorHandle tensor) {
  return guarded([&] {
    implementation(tensor, "tensor");
    function<void (*)(AtenTensorHandle)>(
        "_ZN5torch8autograd4impl12bump_versionERKN2at6TensorE",
        "?bump_version@impl@autograd@torch@@YAXAEBVTensor@at@@@Z")(tensor);
  });
}

}  // extern "C"
