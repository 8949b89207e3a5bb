#include "cxx_api.h"

#include "system.h"
#include "torch.h"

namespace gammanet {
namespace {

// A handle points to an at::Tensor, whose only member is a pointer to its c10::TensorImpl. A member
// function takes that pointer first; a reference that is returned is a pointer.
struct TensorImpl;
struct TensorObject {
  TensorImpl* implementation;
};

// Names of the Itanium C++ ABI, and of Microsoft's compiler, which builds LibTorch for Windows.
#ifdef _WIN32
constexpr char kGrad[] = "?grad@TensorImpl@c10@@QEBAAEBVTensor@at@@XZ";
constexpr char kRequiresGrad[] = "?requires_grad@TensorImpl@c10@@QEBA_NXZ";
constexpr char kBumpVersion[] = "?bump_version@impl@autograd@torch@@YAXAEBVTensor@at@@@Z";
constexpr char kSetNumThreads[] = "?set_num_threads@at@@YAXH@Z";
#else
constexpr char kGrad[] = "_ZNK3c1010TensorImpl4gradEv";
constexpr char kRequiresGrad[] = "_ZNK3c1010TensorImpl13requires_gradEv";
constexpr char kBumpVersion[] = "_ZN5torch8autograd4impl12bump_versionERKN2at6TensorE";
constexpr char kSetNumThreads[] = "_ZN2at15set_num_threadsEi";
#endif

template <class Function>
Function function(const char* name) {
  void* found = torch_symbol(name);
#ifdef _WIN32
  if (found == nullptr) {  // a library of Windows does not answer for those that it needs
    found = symbol(loaded_library("c10.dll"), name);
  }
#endif
  if (found == nullptr) {
    unavailable("this LibTorch does not export %s", name);
  }
  return reinterpret_cast<Function>(found);
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
  function<void (*)(int)>(kSetNumThreads)(threads);
}

bool requires_grad(AtenTensorHandle tensor) {
  TensorImpl* impl = implementation(tensor, "tensor");
  return function<bool (*)(const TensorImpl*)>(kRequiresGrad)(impl);
}

AtenTensorHandle new_gradient_handle(AtenTensorHandle tensor) {
  TensorImpl* impl = implementation(tensor, "tensor");
  const auto gradient = function<AtenTensorHandle (*)(const TensorImpl*)>(kGrad)(impl);
  AtenTensorHandle result = nullptr;
  if (is_defined(gradient)) {
    torch_check(torch().new_tensor_handle(gradient, &result), "aoti_torch_new_tensor_handle");
  }
  return result;
}

void bump_version(AtenTensorHandle tensor) {
  implementation(tensor, "tensor");
  function<void (*)(AtenTensorHandle)>(kBumpVersion)(tensor);
}

}  // namespace gammanet
