#include "thread_pool.hpp"

#include <pthread.h>
#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>

namespace softgrad {
namespace {

struct Job {
    const std::function<void(int64_t)>* piece;
    int64_t pieces;
    std::atomic<int64_t> next{0}, done{0};
    std::mutex mutex;
    std::condition_variable finished;

    void work() {
        for (int64_t i = next.fetch_add(1); i < pieces; i = next.fetch_add(1)) {
            (*piece)(i);
            if (done.fetch_add(1) + 1 == pieces) {
                std::lock_guard lock(mutex);
                finished.notify_all();
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
        auto job = std::make_shared<Job>();
        job->piece = &piece;
        job->pieces = pieces;
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

int default_thread_count() {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
    return std::max(1u, std::thread::hardware_concurrency());
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
