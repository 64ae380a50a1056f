// Threads for one job at a time: each, the caller among them, takes ranges one by one from a share of its own, then
// from the others'.
//
// The caller waits only for ranges that a worker has taken, never for a worker that took none. A second caller that
// comes while a job runs works alone. Workers sleep while there is nothing to do. After fork() the child starts with
// none.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace softgrad {

// What was set; without that, the CPUs that the calling thread may use, and no more than the container's quota of them.
int thread_count();
// 0: as if nothing had been set.
void set_thread_count(int count);

// How many CPUs' worth of time the control groups of the process allow, rounded up; 0: no limit. `root` is where /proc
// and /sys are.
int cpu_quota(const std::string& root);

// Calls on_range(i) once for each i in [0, ranges); on_range must not throw.
void parallel_for(int64_t ranges, const std::function<void(int64_t)>& on_range);

}  // namespace softgrad
