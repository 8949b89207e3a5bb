// What operating systems do differently: shared libraries and memory.
#pragma once

#include <cstddef>
#include <string>

namespace gammanet {

// Loads a library of this path in UTF-8 (null: the program itself), or counts one more use of it;
// null when that fails.
void* open_library(const char* path);
// Why this thread's last open_library failed; may be empty.
std::string library_error();
// A library that the process has loaded, by its file name; null when there is none.
void* loaded_library(const char* name);
// A function of a library (null: of any, where the system can tell); null when there is none.
void* symbol(void* library, const char* name);

// Pages of zeros; null when there is no memory.
void* map_pages(size_t bytes) noexcept;
void unmap_pages(void* memory, size_t bytes) noexcept;
// Lets the system take back the memory of pages, whose contents are lost.
void drop_pages(void* memory, size_t bytes) noexcept;

// Memory aligned to cache lines; null when there is none.
void* allocate_aligned(size_t bytes) noexcept;
void free_aligned(void* memory) noexcept;

}  // namespace gammanet
