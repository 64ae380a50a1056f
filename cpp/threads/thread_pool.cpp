#include "threads/thread_pool.hpp"

#include "threads/float_mode.hpp"
#if !defined(_WIN32)
#include <pthread.h>
#include <signal.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <fstream>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace softgrad {
namespace {

// The CPUs that a thread may run on: those of the thread that calls are also those of the workers that help it, whoever
// started them.
class Affinity {
  public:
#if defined(__linux__)
    Affinity() : known_(sched_getaffinity(0, sizeof set_, &set_) == 0) {}
    int count() const { return known_ ? CPU_COUNT(&set_) : hardware_threads(); }
    void move_here(Affinity& current) const {
        if (!known_ || CPU_EQUAL(&set_, &current.set_)) return;
        sched_setaffinity(0, sizeof set_, &set_);
        current = *this;
    }

  private:
    cpu_set_t set_;
    bool known_;
#else
    int count() const { return hardware_threads(); }
    void move_here(Affinity&) const {}

  private:
#endif
    static int hardware_threads() { return static_cast<int>(std::max(1u, std::thread::hardware_concurrency())); }
};

// A thread started meanwhile is given no signal: a handler, or a thread that waits for one, belongs to the program.
// On Windows there is nothing to inherit.
class NoSignals {
  public:
#if defined(_WIN32)
    NoSignals() {}
#else
    NoSignals() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    NoSignals(const NoSignals&) = delete;
    NoSignals& operator=(const NoSignals&) = delete;

  private:
    sigset_t before_;
#endif
};

// Neighbouring ranges, handed out in their order; on a cache line of its own.
struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
};

struct Job {
    const std::function<void(int64_t)>& on_range;
    const int64_t ranges;
    const Affinity affinity;
    // That of the caller: whoever helps computes as it does.
    const uint64_t mode = FloatMode::current();
    std::vector<Share> shares;
    std::atomic<size_t> joined{0};
    std::atomic<int64_t> done{0};
    std::mutex mutex;
    std::condition_variable finished;

    Job(const std::function<void(int64_t)>& each, int64_t count, const Affinity& cpus, int64_t workers)
        : on_range(each), ranges(count), affinity(cpus), shares(static_cast<size_t>(workers)) {
        for (int64_t w = 0; w < workers; ++w) {
            shares[static_cast<size_t>(w)].next = ranges * w / workers;
            shares[static_cast<size_t>(w)].end = ranges * (w + 1) / workers;
        }
    }

    // A share of one's own first, so that what a kernel fetches ahead is what its thread needs next; then what others
    // have left.
    void work() {
        const size_t own = joined.fetch_add(1);
        for (size_t s = 0; s < shares.size(); ++s) {
            Share& share = shares[(own + s) % shares.size()];
            for (int64_t i = share.next.fetch_add(1); i < share.end; i = share.next.fetch_add(1)) {
                on_range(i);
                if (done.fetch_add(1) + 1 == ranges) {
                    std::lock_guard lock(mutex);
                    finished.notify_all();
                }
            }
        }
    }

    // What the others are at takes microseconds, as a rule, and to be woken takes 35 to 60 of them.
    void wait() {
        const auto asleep = std::chrono::steady_clock::now() + std::chrono::microseconds(200);
        while (std::chrono::steady_clock::now() < asleep) {
            if (done.load() == ranges) return;
            std::this_thread::yield();
        }
        std::unique_lock lock(mutex);
        finished.wait(lock, [this] { return done.load() == ranges; });
    }
};

class Pool {
  public:
    void run(int64_t ranges, const std::function<void(int64_t)>& on_range, int threads, const Affinity& affinity) {
        std::unique_lock one_job(job_mutex_, std::defer_lock);
        const int helpers = static_cast<int>(std::min<int64_t>(threads, ranges)) - 1;
        if (helpers <= 0 || !one_job.try_lock()) {
            for (int64_t i = 0; i < ranges; ++i) on_range(i);
            return;
        }
        // A worker may look at the job after the caller has left: it owns a share of it, and finds no range to take.
        auto job = std::make_shared<Job>(on_range, ranges, affinity, helpers + 1);
        {
            std::lock_guard lock(mutex_);
            start_workers(helpers);
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
    // As many as there can be: where the system allows no more threads, the others take the ranges.
    void start_workers(int wanted) {
        if (workers_ >= wanted) return;
        const NoSignals inherited;
        try {
            for (; workers_ < wanted; ++workers_) std::thread([this] { serve(); }).detach();
        } catch (const std::exception&) {
        }
    }

    void serve() {
        Affinity here;
        for (;;) {
            std::shared_ptr<Job> job;
            {
                std::unique_lock lock(mutex_);
                wake_.wait(lock, [this] { return wanted_ > 0; });
                --wanted_;
                job = job_;
            }
            job->affinity.move_here(here);
            FloatMode::set(job->mode);
            job->work();
        }
    }

    std::mutex job_mutex_;  // held while a job runs
    std::mutex mutex_;      // guards what follows
    std::condition_variable wake_;
    std::shared_ptr<Job> job_;
    int wanted_ = 0, workers_ = 0;
};

constexpr double unlimited = std::numeric_limits<double>::infinity();

// CPUs' worth of time that one control group may use. In version 2 a file "QUOTA PERIOD" or "max PERIOD", in version 1
// two files, the quota -1 without a limit.
double quota_of(const std::string& group) {
    double quota = 0.0, period = 0.0;
    std::ifstream both(group + "/cpu.max"), first(group + "/cpu.cfs_quota_us"), second(group + "/cpu.cfs_period_us");
    const bool known = (both >> quota >> period) || (first >> quota && second >> period);
    return known && quota > 0.0 && period > 0.0 ? quota / period : unlimited;
}

// What the program asked for; 0: as many as it may use.
std::atomic<int> threads{0};

const int container_quota = cpu_quota("");

int allowed_threads(const Affinity& affinity) {
    const int asked = threads.load();
    if (asked > 0) return asked;
    return container_quota > 0 ? std::min(affinity.count(), container_quota) : affinity.count();
}

// Never freed: workers may outlive the end of main, and a forked child must leave its parent's behind. Made when the
// library is loaded: a child forked while another thread makes a function's static would wait for that thread, which it
// does not have.
std::atomic<Pool*> pool{new Pool};
#if !defined(_WIN32)
const int watching_fork = pthread_atfork(nullptr, nullptr, [] { pool = new Pool; });
#endif

}  // namespace

int cpu_quota(const std::string& root) {
    double least = unlimited;
    std::ifstream groups(root + "/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        // ID:CONTROLLERS:PATH; version 2 names no controllers.
        const size_t first = line.find(':'), second = line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string controllers = line.substr(first, second - first) + ',';
        const bool unified = controllers == ":,";
        if (!unified && controllers.find(":cpu,") != 0 && controllers.find(",cpu,") == std::string::npos) continue;
        // A limit of any group above holds too. In a container the path may be that of the host, and the group stands
        // at the top.
        std::string group = root + "/sys/fs/cgroup" + (unified ? "" : "/cpu");
        const size_t top = group.size();
        group += line.substr(second + 1);
        for (;; group.resize(std::max(top, group.rfind('/')))) {
            least = std::min(least, quota_of(group));
            if (group.size() <= top) break;
        }
    }
    return least < 1e6 ? static_cast<int>(std::ceil(least)) : 0;
}

int thread_count() { return allowed_threads(Affinity()); }

void set_thread_count(int count) { threads = count; }

void parallel_for(int64_t ranges, const std::function<void(int64_t)>& on_range) {
    if (ranges > 1 && threads.load() != 1) {
        const Affinity affinity;
        return pool.load()->run(ranges, on_range, allowed_threads(affinity), affinity);
    }
    for (int64_t i = 0; i < ranges; ++i) on_range(i);
}

}  // namespace softgrad

// For threadpoolctl, which finds a library by its symbols.
extern "C" __attribute__((visibility("default"))) int softgrad_get_num_threads() { return softgrad::thread_count(); }
extern "C" __attribute__((visibility("default"))) void softgrad_set_num_threads(int count) {
    softgrad::set_thread_count(count);
}
