// All kernels for one element type, with the table of their names; build.sh writes entries.inc from the sources.
#include "cuda_bf16.h"

// The two types' kernels stand in one library, and call functions of the same names.
namespace {
#include "all.cu"
}

#include "registry.h"

#define TEXT_TOKENS(x) #x
#define TEXT(x) TEXT_TOKENS(x)
#define ENTRY(name) {TEXT(PASTE(name, SUFFIX)), [](void **arguments) { call(PASTE(name, SUFFIX), arguments); }},

extern const Entry PASTE(entries, SUFFIX)[];
const Entry PASTE(entries, SUFFIX)[] = {
#include "entries.inc"
    {nullptr, nullptr}};
