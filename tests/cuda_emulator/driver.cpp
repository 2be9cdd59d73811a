// A device that is the processor: the driver calls that the program makes, with kernels run thread by thread.
//
// Stands in for libcuda.so.1. One call at a time, from whatever thread of the program. It checks what a card would not tell: memory starts as NaN, and a guard behind every
// allocation must be untouched when the stream is waited for.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <setjmp.h>
#include <string>
#include <ucontext.h>
#include <vector>

#include "cuda_bf16.h"
#include "registry.h"

uint3 threadIdx, blockIdx, blockDim, gridDim;
extern const Entry entries_f32[], entries_bf16[];

namespace {
constexpr size_t STACK = 256 << 10, GUARD = 4096;
constexpr int OK = 0, INVALID = 1, OUT_OF_MEMORY = 2, NOT_FOUND = 500, ILLEGAL_ADDRESS = 700;

// A thread of a block: runs until it waits, and goes on when all have come to the same place. Serves one block after the
// other.
struct Fiber {
  jmp_buf place, idle;
  bool started = false;
  std::vector<char> stack = std::vector<char>(STACK);
  unsigned thread = 0;
  bool waits = false;
};
jmp_buf scheduler;
std::vector<Fiber *> fibers;
Fiber *current;
void (*kernel)(void **);
void **kernel_arguments;
unsigned next_thread;
Shown values[1024];

// Threads that never wait share one fiber.
void fiber_main() {
  Fiber *own = current;
  for (;;) {
    while (next_thread < blockDim.x) {
      own->thread = next_thread++;
      threadIdx = {own->thread, 0, 0};
      kernel(kernel_arguments);
    }
    own->waits = false;
    if (!_setjmp(own->idle)) _longjmp(scheduler, 1);
  }
}
// A fiber's first entry goes through a context with a stack of its own; later ones are jumps, which cost no system call.
void start(Fiber *fiber) {
  current = fiber;
  fiber->waits = false;
  if (_setjmp(scheduler)) return;
  if (fiber->started) _longjmp(fiber->idle, 1);
  fiber->started = true;
  ucontext_t context;
  getcontext(&context);
  context.uc_stack.ss_sp = fiber->stack.data();
  context.uc_stack.ss_size = STACK;
  context.uc_link = nullptr;
  makecontext(&context, fiber_main, 0);
  setcontext(&context);
}
void resume(Fiber *fiber) {
  current = fiber;
  threadIdx = {fiber->thread, 0, 0};
  if (!_setjmp(scheduler)) _longjmp(fiber->place, 1);
}
void run_block() {
  next_thread = 0;
  std::vector<Fiber *> active;
  while (next_thread < blockDim.x) {
    if (active.size() == fibers.size()) fibers.push_back(new Fiber);
    Fiber *fiber = fibers[active.size()];
    start(fiber);
    if (fiber->waits) active.push_back(fiber);
  }
  while (!active.empty()) {
    std::vector<Fiber *> waiting;
    for (Fiber *fiber : active) {
      resume(fiber);
      if (fiber->waits) waiting.push_back(fiber);
    }
    active = waiting;
  }
}

// Held by every call that touches what calls share: tests run on several threads.
std::mutex device;
using Hold = std::lock_guard<std::mutex>;

std::map<char *, size_t> allocations;
size_t used;
// Bytes of the device: what EMULATED_DEVICE_BYTES says, else 8 GiB.
size_t total() {
  const char *bytes = getenv("EMULATED_DEVICE_BYTES");
  return bytes ? strtoull(bytes, nullptr, 10) : (size_t)8 << 30;
}

bool guards_hold() {
  for (auto &[start, size] : allocations)
    for (size_t i = 0; i < GUARD; i++)
      if (start[size + i] != 0x5a) {
        fprintf(stderr, "emulated device: a write behind an allocation of %zu bytes\n", size);
        return false;
      }
  return true;
}
}  // namespace

void __syncthreads() {
  Fiber *own = current;
  own->waits = true;
  if (!_setjmp(own->place)) _longjmp(scheduler, 1);
  own->waits = false;
}
const Shown *show(const void *own, size_t bytes) {
  const unsigned thread = threadIdx.x;
  memcpy(values[thread].bytes, own, bytes);
  __syncthreads();
  return &values[thread / 32 * 32];
}

extern "C" {
int cuInit(unsigned) { return OK; }
int cuDeviceGetCount(int *count) { return *count = 1, OK; }
int cuDeviceGet(int *device, int ordinal) { return *device = ordinal, ordinal == 0 ? OK : INVALID; }
int cuDeviceGetName(char *name, int length, int) { return snprintf(name, length, "emulated on the processor"), OK; }
// Compute capability 8.0.
int cuDeviceGetAttribute(int *value, int attribute, int) { return *value = attribute == 75 ? 8 : 0, OK; }
int cuDevicePrimaryCtxRetain(void **context, int) { return *context = &allocations, OK; }
int cuCtxSetCurrent(void *) { return OK; }
int cuStreamCreate(void **stream, unsigned) { return *stream = &scheduler, OK; }
int cuStreamSynchronize(void *) {
  Hold hold(device);
  return guards_hold() ? OK : ILLEGAL_ADDRESS;
}
int cuModuleLoadData(void **module, const void *image) { return *module = (void *)image, OK; }
int cuModuleGetFunction(void **function, void *, const char *name) {
  for (const Entry *table : {entries_f32, entries_bf16})
    for (const Entry *entry = table; entry->name; entry++)
      if (!strcmp(entry->name, name)) return *function = (void *)entry->run, OK;
  return NOT_FOUND;
}
int cuMemAlloc_v2(uint64_t *address, size_t bytes) {
  Hold hold(device);
  if (used + bytes > total()) return OUT_OF_MEMORY;
  char *start = (char *)aligned_alloc(512, (bytes + GUARD + 511) / 512 * 512);
  if (!start) return OUT_OF_MEMORY;
  memset(start, 0xff, bytes);
  memset(start + bytes, 0x5a, GUARD);
  allocations[start] = bytes;
  used += bytes;
  return *address = (uint64_t)start, OK;
}
int cuMemFree_v2(uint64_t address) {
  Hold hold(device);
  auto found = allocations.find((char *)address);
  if (found == allocations.end()) return INVALID;
  used -= found->second;
  allocations.erase(found);
  free((void *)address);
  return OK;
}
int cuMemGetInfo_v2(size_t *available, size_t *all) { return *available = total() - used, *all = total(), OK; }
int cuMemHostAlloc(void **address, size_t bytes, unsigned) {
  return (*address = malloc(bytes)) ? memset(*address, 0xff, bytes), OK : OUT_OF_MEMORY;
}
int cuMemFreeHost(void *address) { return free(address), OK; }
// Every call has done its work when it returns, so there is nothing to wait for.
int cuEventCreate(void **event, unsigned) { return *event = &scheduler, OK; }
int cuEventRecord(void *, void *) { return OK; }
int cuEventDestroy_v2(void *) { return OK; }
int cuStreamWaitEvent(void *, void *, unsigned) { return OK; }
int cuStreamDestroy_v2(void *) { return OK; }
int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t n, void *) { return memcpy((void *)to, from, n), OK; }
int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t n, void *) { return memcpy(to, (void *)from, n), OK; }
int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t n, void *) {
  return memcpy((void *)to, (void *)from, n), OK;
}
int cuMemsetD8Async(uint64_t to, unsigned char value, size_t n, void *) { return memset((void *)to, value, n), OK; }
int cuMemsetD32Async(uint64_t to, unsigned value, size_t n, void *) {
  for (size_t i = 0; i < n; i++) ((unsigned *)to)[i] = value;
  return OK;
}
int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *, void **arguments, void **) {
  if (bx == 0 || bx > 1024 || by != 1 || bz != 1 || gy > 65535 || gz != 1 || shared != 0) return INVALID;
  Hold hold(device);
  gridDim = {gx, gy, gz}, blockDim = {bx, by, bz};
  kernel = (void (*)(void **))function, kernel_arguments = arguments;
  for (unsigned y = 0; y < gy; y++)
    for (unsigned x = 0; x < gx; x++) {
      blockIdx = {x, y, 0};
      run_block();
    }
  return OK;
}
}
