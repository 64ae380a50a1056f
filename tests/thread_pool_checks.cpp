// What test_threads_native.py asks of cpp/threads/thread_pool.cpp: `thread_pool_checks NAME` ends with 0, or says what
// is wrong and ends with 1.
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "threads/thread_pool.hpp"

using softgrad::parallel_for;
using std::chrono::milliseconds;

namespace {

// What becomes of a thread that the pool asks for.
enum class Start { at_once, held, refused };
std::atomic<Start> start{Start::at_once};
std::atomic<bool> gate_open{false};
std::atomic<int> asked_for{0}, held{0};

void check(bool right, const char* what) {
    if (right) return;
    std::fprintf(stderr, "%s\n", what);
    std::_Exit(1);
}

template <class Condition>
bool comes_true(const Condition& condition) {
    for (int i = 0; i < 10000; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(milliseconds(1));
    }
    return false;
}

struct Held {
    void* (*function)(void*);
    void* argument;
};

void* wait_at_the_gate(void* given) {
    const std::unique_ptr<Held> thread(static_cast<Held*>(given));
    ++held;
    while (!gate_open) std::this_thread::sleep_for(milliseconds(1));
    return thread->function(thread->argument);
}

void each_range_once() {
    softgrad::set_thread_count(4);
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 3; ++caller)
        callers.emplace_back([] {
            for (int64_t ranges = 0; ranges < 300; ++ranges) {
                // Not atomic: a range that two threads work on is a race.
                std::vector<int> times(static_cast<size_t>(ranges));
                parallel_for(ranges, [&](int64_t i) { ++times[static_cast<size_t>(i)]; });
                for (int count : times) check(count == 1, "a range was not worked on exactly once");
            }
        });
    for (auto& caller : callers) caller.join();
}

// The first range ends when all others have: no thread may have set others aside for itself.
void ranges_go_to_who_is_free() {
    softgrad::set_thread_count(2);
    for (int64_t blocked : {0, 31, 32, 63}) {
        std::atomic<int> others{0};
        parallel_for(64, [&](int64_t i) {
            if (i != blocked)
                ++others;
            else
                check(comes_true([&] { return others == 63; }), "ranges wait for a thread that is busy");
        });
    }
}

void nobody_waits_for_a_worker_that_took_nothing() {
    softgrad::set_thread_count(3);
    start = Start::held;
    for (int call = 0; call < 3; ++call) {
        std::atomic<int> done{0};
        parallel_for(100, [&](int64_t) { ++done; });
        check(done == 100, "ranges were left");
    }
    check(asked_for == 2 && comes_true([] { return held == 2; }), "two workers were to be asked for");
    // They come when all is done, to a job that is gone; the next finds them.
    gate_open = true;
    const auto caller = std::this_thread::get_id();
    check(comes_true([&] {
        std::atomic<bool> helped{false};
        parallel_for(100, [&](int64_t) {
            if (std::this_thread::get_id() != caller) helped = true;
            std::this_thread::sleep_for(milliseconds(1));
        });
        return helped.load();
    }),
          "the late workers never helped");
}

void without_more_threads_the_caller_works_alone() {
    softgrad::set_thread_count(3);
    start = Start::refused;
    std::atomic<int> done{0};
    parallel_for(100, [&](int64_t) { ++done; });
    check(done == 100 && asked_for > 0, "ranges were left");
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    check(!sigismember(&mask, SIGINT), "the caller's signals stayed blocked");
}

// Calls look(i) in a range of each of two threads.
template <class Look>
void in_two_threads(const Look& look) {
    softgrad::set_thread_count(2);
    std::atomic<int> together{0};
    parallel_for(2, [&](int64_t i) {
        ++together;
        check(comes_true([&] { return together == 2; }), "a second thread never came");
        look(i);
    });
}

void workers_take_no_signals() {
    const pthread_t caller = pthread_self();
    in_two_threads([&](int64_t) {
        sigset_t mask;
        pthread_sigmask(SIG_BLOCK, nullptr, &mask);
        const bool blocked = sigismember(&mask, SIGINT) && sigismember(&mask, SIGTERM) && sigismember(&mask, SIGALRM);
        check(blocked == !pthread_equal(pthread_self(), caller),
              "the workers' signals are blocked, the caller's are not");
    });
}

void workers_run_where_their_caller_may() {
    cpu_set_t all, one, seen[2];
    sched_getaffinity(0, sizeof all, &all);
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu)
        if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &one);
    for (const cpu_set_t& mine : {all, one, all}) {
        sched_setaffinity(0, sizeof mine, &mine);
        softgrad::set_thread_count(0);
        check(softgrad::thread_count() <= CPU_COUNT(&mine), "more threads than CPUs");
        in_two_threads([&](int64_t i) { sched_getaffinity(0, sizeof seen[i], &seen[i]); });
        check(CPU_EQUAL(&seen[0], &mine) && CPU_EQUAL(&seen[1], &mine), "a worker on other CPUs than its caller");
    }
}

double cpu_milliseconds() {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-3;
}

void idle_threads_cost_nothing() {
    in_two_threads([](int64_t) {});
    const double before = cpu_milliseconds();
    std::this_thread::sleep_for(milliseconds(400));
    check(cpu_milliseconds() - before < 40.0, "threads without work took time");
}

// Children of a thread that does nothing else, while two others call and start workers all the time.
void children_of_a_process_that_computes() {
    softgrad::set_thread_count(3);
    std::atomic<bool> stop{false};
    const auto sums = [] {
        std::atomic<int64_t> sum{0};
        parallel_for(50, [&](int64_t i) { sum += i; });
        return sum.load() == 49 * 50 / 2;
    };
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 2; ++caller)
        callers.emplace_back([&] {
            while (!stop) check(sums(), "a wrong sum in the parent");
        });
    for (int i = 0; i < 200; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            alarm(20);
            _exit(sums() && sums() ? 0 : 1);
        }
        int status = 0;
        waitpid(child, &status, 0);
        check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a child did not end, or not rightly");
    }
    stop = true;
    for (auto& caller : callers) caller.join();
}

struct Check {
    const char* name;
    void (*run)();
};
#define CHECK(name) {#name, name}
const Check checks[] = {
    CHECK(each_range_once),
    CHECK(ranges_go_to_who_is_free),
    CHECK(nobody_waits_for_a_worker_that_took_nothing),
    CHECK(without_more_threads_the_caller_works_alone),
    CHECK(workers_take_no_signals),
    CHECK(workers_run_where_their_caller_may),
    CHECK(idle_threads_cost_nothing),
    CHECK(children_of_a_process_that_computes),
};

}  // namespace

// In place of the C library's: what the pool asks for comes through here.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*function)(void*),
                              void* argument) noexcept {
    using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
    static const Create create = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
    ++asked_for;
    if (start == Start::refused) return EAGAIN;
    if (start == Start::held) return create(thread, attributes, wait_at_the_gate, new Held{function, argument});
    return create(thread, attributes, function, argument);
}

int main(int count, char** arguments) {
    if (count == 3 && std::strcmp(arguments[1], "cpu_quota") == 0) {
        std::printf("%d\n", softgrad::cpu_quota(arguments[2]));
        return 0;
    }
    for (const Check& each : checks)
        if (count == 2 && std::strcmp(arguments[1], each.name) == 0) {
            each.run();
            return 0;
        }
    std::fprintf(stderr, "no such check\n");
    return 2;
}
