#include "cxx_api.h"

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
Function function(const char* name) {
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

void set_num_threads(int32_t threads) {
  if (threads < 1) {
    invalid("threads must be at least 1, not %d", static_cast<int>(threads));
  }
  function<void (*)(int)>("_ZN2at15set_num_threadsEi")(threads);
}

bool requires_grad(AtenTensorHandle tensor) {
  TensorImpl* impl = implementation(tensor, "tensor");
  return function<bool (*)(const TensorImpl*)>("_ZNK3c1010TensorImpl13requires_gradEv")(impl);
}

AtenTensorHandle new_gradient_handle(AtenTensorHandle tensor) {
  TensorImpl* impl = implementation(tensor, "tensor");
  const auto gradient =
      function<AtenTensorHandle (*)(const TensorImpl*)>("_ZNK3c1010TensorImpl4gradEv")(impl);
  AtenTensorHandle result = nullptr;
  if (is_defined(gradient)) {
    torch_check(torch().new_tensor_handle(gradient, &result), "aoti_torch_new_tensor_handle");
  }
  return result;
}

void bump_version(AtenTensorHandle tensor) {
  implementation(tensor, "tensor");
  function<void (*)(AtenTensorHandle)>("_ZN5torch8autograd4impl12bump_versionERKN2at6TensorE")(
      tensor);
}

}  // namespace gammanet
