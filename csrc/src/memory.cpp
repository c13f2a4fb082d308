#include "longshort/memory.h"

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <new>
#include <vector>

namespace longshort {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kBlocks = 32;                   // free blocks kept
constexpr std::size_t kBytes = std::size_t{1} << 30;  // in all

// Stands before the caller's memory.
struct alignas(kAlignment) Block {
  std::size_t bytes;
};

// Only ever tried: another thread may have held it when this process was forked off.
std::mutex mutex;
std::size_t kept_bytes = 0;

// Oldest first. Never destroyed: objects that live as long as the program release their memory after it has ended.
std::vector<Block*>& kept() {
  static auto* const blocks = new std::vector<Block*>;
  return *blocks;
}

void free_block(Block* block) { ::operator delete(block, std::align_val_t{kAlignment}); }

}  // namespace

void* acquire_memory(std::size_t bytes) {
  bytes = std::max<std::size_t>(bytes, 1);
  if (const std::unique_lock<std::mutex> lock(mutex, std::try_to_lock); lock) {
    auto best = kept().end();
    for (auto it = kept().begin(); it != kept().end(); ++it) {
      const bool fits = (*it)->bytes >= bytes && (*it)->bytes <= 2 * bytes;
      if (fits && (best == kept().end() || (*it)->bytes < (*best)->bytes)) best = it;
    }
    if (best != kept().end()) {
      Block* block = *best;
      kept().erase(best);
      kept_bytes -= block->bytes;
      return block + 1;
    }
  }
  void* memory = ::operator new(sizeof(Block) + bytes, std::align_val_t{kAlignment});
  return new (memory) Block{bytes} + 1;
}

void release_memory(void* memory) {
  Block* block = static_cast<Block*>(memory) - 1;
  const std::unique_lock<std::mutex> lock(mutex, std::try_to_lock);
  if (!lock) return free_block(block);
  kept().push_back(block);
  kept_bytes += block->bytes;
  while (kept().size() > kBlocks || (kept_bytes > kBytes && !kept().empty())) {
    kept_bytes -= kept().front()->bytes;
    free_block(kept().front());
    kept().erase(kept().begin());
  }
}

}  // namespace longshort
