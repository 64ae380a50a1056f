#include "thread_pool.hpp"

#include <pthread.h>
#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace softgrad {
namespace {

// Neighbouring pieces, handed out in their order; on a cache line of its own.
struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
};

struct Job {
    const std::function<void(int64_t)>& piece;
    const int64_t pieces;
    std::vector<Share> shares;
    std::atomic<size_t> joined{0};
    std::atomic<int64_t> done{0};
    std::mutex mutex;
    std::condition_variable finished;

    Job(const std::function<void(int64_t)>& each, int64_t count, int64_t workers)
        : piece(each), pieces(count), shares(static_cast<size_t>(workers)) {
        for (int64_t w = 0; w < workers; ++w) {
            shares[static_cast<size_t>(w)].next = pieces * w / workers;
            shares[static_cast<size_t>(w)].end = pieces * (w + 1) / workers;
        }
    }

    // A share of one's own first, so that what a kernel fetches ahead is what its thread needs next; then what others have left.
    void work() {
        const size_t own = joined.fetch_add(1);
        for (size_t s = 0; s < shares.size(); ++s) {
            Share& share = shares[(own + s) % shares.size()];
            for (int64_t i = share.next.fetch_add(1); i < share.end; i = share.next.fetch_add(1)) {
                piece(i);
                if (done.fetch_add(1) + 1 == pieces) {
                    std::lock_guard lock(mutex);
                    finished.notify_all();
                }
            }
        }
    }

    void wait() {
        std::unique_lock lock(mutex);
        finished.wait(lock, [this] { return done.load() == pieces; });
    }
};

class Pool {
  public:
    void run(int64_t pieces, const std::function<void(int64_t)>& piece, int threads) {
        std::unique_lock one_job(job_mutex_, std::try_to_lock);
        const int helpers = static_cast<int>(std::min<int64_t>(threads, pieces)) - 1;
        if (!one_job.owns_lock() || helpers <= 0) {
            for (int64_t i = 0; i < pieces; ++i) piece(i);
            return;
        }
        // A worker may look at the job after the caller has left: it owns a share of it, and finds no piece to take.
        auto job = std::make_shared<Job>(piece, pieces, helpers + 1);
        {
            std::lock_guard lock(mutex_);
            for (; workers_ < helpers; ++workers_) std::thread([this] { serve(); }).detach();
            job_ = job;
            wanted_ = helpers;
        }
        if (helpers == 1)
            wake_.notify_one();
        else
            wake_.notify_all();
        job->work();
        job->wait();
        std::lock_guard lock(mutex_);
        job_.reset();
        wanted_ = 0;
    }

  private:
    void serve() {
        for (;;) {
            std::shared_ptr<Job> job;
            {
                std::unique_lock lock(mutex_);
                wake_.wait(lock, [this] { return wanted_ > 0; });
                --wanted_;
                job = job_;
            }
            job->work();
        }
    }

    std::mutex job_mutex_;  // held while a job runs
    std::mutex mutex_;      // guards what follows
    std::condition_variable wake_;
    std::shared_ptr<Job> job_;
    int wanted_ = 0, workers_ = 0;
};

#if defined(__linux__)
int quota_of(double quota, double period) { return quota > 0.0 && period > 0.0 ? static_cast<int>(std::ceil(quota / period)) : 0; }

// How many CPUs' worth of time the container may use, rounded up; 0: no limit. In cgroups v2 a file "QUOTA PERIOD" or "max PERIOD",
// in v1 two files, the quota -1 without a limit.
int cpu_quota() {
    double quota = 0.0, period = 0.0;
    if (std::ifstream both("/sys/fs/cgroup/cpu.max"); both >> quota >> period) return quota_of(quota, period);
    std::ifstream first("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), second("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
    if (first >> quota && second >> period) return quota_of(quota, period);
    return 0;
}
#endif

int default_thread_count() {
    int count = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) count = std::max(1, CPU_COUNT(&set));
    const int quota = cpu_quota();
    if (quota > 0) count = std::min(count, quota);
#endif
    return count;
}

std::atomic<int> threads{0};

// Never freed: workers may outlive the end of main, and a forked child must leave its parent's behind.
std::atomic<Pool*> pool{nullptr};

Pool& the_pool() {
    static const bool watching_fork = [] {
        pool = new Pool;
        pthread_atfork(nullptr, nullptr, [] { pool = new Pool; });
        return true;
    }();
    static_cast<void>(watching_fork);
    return *pool.load();
}

}  // namespace

int thread_count() {
    int count = threads.load();
    if (count == 0) threads = count = default_thread_count();
    return count;
}

void set_thread_count(int count) { threads = count; }

void parallel_for(int64_t pieces, const std::function<void(int64_t)>& piece) {
    const int count = thread_count();
    if (pieces == 1 || count == 1)
        for (int64_t i = 0; i < pieces; ++i) piece(i);
    else
        the_pool().run(pieces, piece, count);
}

}  // namespace softgrad
