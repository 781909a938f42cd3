#include "worker/no_throw.h"

#include <cerrno>
#include <exception>
#include <new>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/atomic_file.h"

namespace baton::worker {

absl::Status WithoutThrow(const std::function<absl::Status()>& work) {
  try {
    return work();
  } catch (const std::system_error& error) {
    return ErrnoStatus(error.code().value(),
                       "the system gives the worker no thread more (`ulimit -u`, the cgroup's "
                       "pids.max and the memory of this node limit them)");
  } catch (const std::bad_alloc&) {
    return ErrnoStatus(ENOMEM, "the worker");
  } catch (const std::exception& error) {
    return ErrnoStatus(EIO, absl::StrCat("the worker: ", error.what()));
  }
}

}  // namespace baton::worker
