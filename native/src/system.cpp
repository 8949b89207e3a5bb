#include "system.h"

#include <cstdlib>

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <malloc.h>
#include <windows.h>
#else
#include <dlfcn.h>
#include <sys/mman.h>
#endif

namespace gammanet {
namespace {
constexpr size_t kCacheLine = 64;
}

#ifdef _WIN32

namespace {

std::wstring wide(const char* utf8) {
  const int length = MultiByteToWideChar(CP_UTF8, 0, utf8, -1, nullptr, 0);
  std::wstring text(static_cast<size_t>(length), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, utf8, -1, &text[0], length);
  return text;
}

}  // namespace

void* open_library(const char* path) {
  if (path == nullptr) {
    return GetModuleHandleW(nullptr);
  }
  // Its dependencies are searched for beside it.
  return LoadLibraryExW(wide(path).c_str(), nullptr, LOAD_WITH_ALTERED_SEARCH_PATH);
}

std::string library_error() { return "error " + std::to_string(GetLastError()); }

void* loaded_library(const char* name) { return GetModuleHandleW(wide(name).c_str()); }

void* symbol(void* library, const char* name) {
  if (library == nullptr) {
    return nullptr;
  }
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}

void* map_pages(size_t bytes) noexcept {
  return VirtualAlloc(nullptr, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

void unmap_pages(void* memory, size_t) noexcept { VirtualFree(memory, 0, MEM_RELEASE); }

void drop_pages(void* memory, size_t bytes) noexcept {
  VirtualAlloc(memory, bytes, MEM_RESET, PAGE_READWRITE);
}

void* allocate_aligned(size_t bytes) noexcept { return _aligned_malloc(bytes, kCacheLine); }

void free_aligned(void* memory) noexcept { _aligned_free(memory); }

#else

void* open_library(const char* path) { return dlopen(path, RTLD_NOW | RTLD_LOCAL); }

std::string library_error() {
  const char* reason = dlerror();
  return reason ? reason : "";
}

void* loaded_library(const char* name) { return dlopen(name, RTLD_NOW | RTLD_NOLOAD); }

void* symbol(void* library, const char* name) {
  return dlsym(library ? library : RTLD_DEFAULT, name);
}

void* map_pages(size_t bytes) noexcept {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return nullptr;
  }
#ifdef MADV_HUGEPAGE
  madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  return memory;
}

void unmap_pages(void* memory, size_t bytes) noexcept { munmap(memory, bytes); }

void drop_pages(void* memory, size_t bytes) noexcept { madvise(memory, bytes, MADV_DONTNEED); }

void* allocate_aligned(size_t bytes) noexcept {
  void* memory = nullptr;
  return posix_memalign(&memory, kCacheLine, bytes) == 0 ? memory : nullptr;
}

void free_aligned(void* memory) noexcept { std::free(memory); }

#endif

}  // namespace gammanet
