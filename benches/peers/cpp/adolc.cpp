// Gradients of the objectives by ADOL-C: recorded every time, and recorded once and replayed. One thread; tapes stay in memory.
#include "objectives.hpp"
#include <adolc/adolc.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <malloc.h>
#include <map>
#include <memory>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

inline double value(const adouble &x) { return x.getValue(); }

struct Options {
    std::vector<std::string> only;
    bool sums = false;
    std::string check;
    int turns = 15;
    double milliseconds = 8.0;
};

// Puts all gradients at all points into a slice.
struct Contestant {
    std::string name;
    std::function<void(double *)> run;
};

// An objective's times, in microseconds.
struct Row {
    std::string name;
    std::vector<std::pair<std::string, double>> times;
};

[[noreturn]] void fail(const std::string &message) {
    std::fprintf(stderr, "%s\n", message.c_str());
    std::exit(1);
}

// ADOL-C's drivers answer with a negative number where a comparison on the tape has another outcome at the new point.
void replayed(int code, const char *objective) {
    if (code < 0) fail(std::string(objective) + ": another branch than the tape's: record it again");
}

// Numbers of operations, locations, constants and values that a tape holds in memory: more would go to files.
constexpr unsigned OPERATIONS = 8u << 20, LOCATIONS = 24u << 20, CONSTANTS = 4u << 20, VALUES = 8u << 20;

// Two tapes of the function at `count` points: one is recorded again and again, the other once. They share their variables, since
// every sweep costs time for all variables that live.
enum Tape : short { RECORDED = 0, KEPT = 1 };

template <template <class> class F> class Recorder {
    F<adouble> f;
    std::vector<adouble> x, y;
    const int n, m;

public:
    Recorder(const Points &p, int count) : x(p.n * count), y(p.m * count), n(p.n), m(p.m) {}
    void record(Tape tape, const double *at) {
        trace_on(tape, 1, OPERATIONS, LOCATIONS, CONSTANTS, VALUES);
        for (adouble &v : x) v <<= *at++;
        for (std::size_t i = 0; i * n < x.size(); i++) f.eval(&x[i * n], &y[i * m]);
        double result;
        for (adouble &v : y) v >>= result;
        trace_off();
        if (tape != KEPT) return; // the same function has been recorded there
        std::size_t counts[STAT_SIZE];
        tapestats(tape, counts);
        if (counts[OP_FILE_ACCESS] || counts[LOC_FILE_ACCESS] || counts[VAL_FILE_ACCESS] || counts[TAY_STACK_SIZE] > VALUES)
            fail(std::string(F<double>::NAME) + ": the tape went to files: make its buffers larger");
    }
    // The rows of the Jacobian at each of its points.
    void reverse(Tape tape, double *g) {
        const int outputs = int(y.size()), inputs = int(x.size());
        if (outputs == 1) {
            double one = 1.0;
            replayed(fos_reverse(tape, 1, inputs, &one, g), F<double>::NAME);
            return;
        }
        std::vector<double> seeds(outputs), all(inputs);
        for (int row = 0; row < m; row++) {
            for (int i = 0; i < outputs; i++) seeds[i] = i % m == row;
            replayed(fos_reverse(tape, outputs, inputs, seeds.data(), all.data()), F<double>::NAME);
            for (int i = 0; i < inputs; i++) g[i / n * m * n + row * n + i % n] = all[i];
        }
    }
    void replay(const double *at, double *g) {
        std::vector<double> results(y.size());
        replayed(zos_forward(KEPT, int(y.size()), int(x.size()), 1, at, results.data()), F<double>::NAME);
        reverse(KEPT, g);
    }
    void driver(const double *at, double *g) {
        std::vector<double *> rows(m);
        for (int row = 0; row < m; row++) rows[row] = g + row * n;
        replayed(m == 1 ? gradient(KEPT, n, at, g) : jacobian(KEPT, m, n, at, rows.data()), F<double>::NAME);
    }
};

// A tape for each point.
template <template <class> class F> std::vector<Contestant> point_by_point(const Points &p) {
    auto each = [&p](auto gradient) {
        return [&p, gradient](double *g) {
            for (int i = 0; i < p.count; i++) gradient(&p.x[i * p.n], g + i * p.n * p.m);
        };
    };
    auto r = std::make_shared<Recorder<F>>(p, 1);
    r->record(KEPT, p.x.data());
    return {{"ADOL-C", each([r](const double *x, double *g) { r->record(RECORDED, x), r->reverse(RECORDED, g); })},
        {"ADOL-C, replay", each([r](const double *x, double *g) { r->replay(x, g); })},
        {"ADOL-C, replay by driver", each([r](const double *x, double *g) { r->driver(x, g); })}};
}

// A tape for a block of points, replayed or recorded for each block. `-DBLOCK=10000` takes all points at once.
#ifndef BLOCK
#define BLOCK 100
#endif
template <template <class> class F> std::vector<Contestant> by_blocks(const Points &p) {
    if (p.count % BLOCK != 0) fail(std::string(F<double>::NAME) + ": points that do not fill their blocks");
    auto each = [&p](auto gradients) {
        return [&p, gradients](double *g) {
            for (int i = 0; i < p.count; i += BLOCK) gradients(&p.x[i * p.n], g + i * p.n * p.m);
        };
    };
    auto r = std::make_shared<Recorder<F>>(p, BLOCK);
    r->record(KEPT, p.x.data());
    return {{"ADOL-C, blocks of points", each([r](const double *x, double *g) { r->record(RECORDED, x), r->reverse(RECORDED, g); })},
        {"ADOL-C, blocks of points, replay", each([r](const double *x, double *g) { r->replay(x, g); })}};
}

// Refuses contestants whose gradients differ from the first one's; their weighted sum.
double agree(std::vector<Contestant> &all, std::vector<double> &gradients, const std::string &objective) {
    std::vector<double> wanted;
    double largest = 0.0, sum = 0.0;
    for (Contestant &contestant : all) {
        std::fill(gradients.begin(), gradients.end(), NAN);
        contestant.run(gradients.data());
        if (wanted.empty()) wanted = gradients;
        for (double w : wanted) largest = std::max(largest, std::abs(w));
        for (std::size_t i = 0; i < wanted.size(); i++)
            if (!(std::abs(wanted[i] - gradients[i]) <= 1e-9 * (std::abs(wanted[i]) + 1e-6 * largest)))
                fail(objective + ": " + contestant.name + " differs in derivative " + std::to_string(i));
    }
    for (std::size_t i = 0; i < wanted.size(); i++) sum += wanted[i] * (1.0 + 0.37 * double(i % 11));
    return sum;
}

double microseconds(const std::function<void()> &run, int calls) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < calls; i++) run();
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() / calls;
}

// Median times of turns, in microseconds a call.
std::vector<double> medians(const std::vector<std::function<void()>> &runs, const Options &options) {
    std::vector<int> calls;
    for (auto &run : runs) {
        const double once = std::min(microseconds(run, 1), microseconds(run, 1));
        calls.push_back(std::max(1, int(1e3 * options.milliseconds / once)));
    }
    std::vector<std::vector<double>> times(runs.size());
    for (int turn = 0; turn < options.turns; turn++)
        for (std::size_t i = 0; i < runs.size(); i++) {
            runs[i](); // its memory back into the caches
            times[i].push_back(microseconds(runs[i], calls[i]));
        }
    std::vector<double> medians;
    for (auto &t : times) std::sort(t.begin(), t.end()), medians.push_back(t[t.size() / 2]);
    return medians;
}

// What a process of its own prints, which `work` does: ADOL-C never gives back the places of variables, and every sweep passes all.
std::string of_a_child(const std::function<void(std::FILE *)> &work) {
    int ends[2];
    if (pipe(ends) != 0) fail("no pipe");
    const pid_t child = fork();
    if (child < 0) fail("no process");
    if (child == 0) {
        close(ends[0]);
        std::FILE *out = fdopen(ends[1], "w");
        work(out);
        std::fclose(out);
        std::_Exit(0);
    }
    close(ends[1]);
    std::string text;
    char part[4096];
    for (ssize_t count; (count = read(ends[0], part, sizeof part)) > 0;) text.append(part, count);
    close(ends[0]);
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) fail("a measurement failed");
    return text;
}

// The sum of an objective's gradients, and lines `TIME NAME` unless only the sums are wanted.
template <template <class> class F>
void measure_here(const Options &options, std::vector<Contestant> (*contestants)(const Points &), std::FILE *out) {
    const Points p = F<double>().points();
    auto all = contestants(p);
    std::vector<double> gradients(p.count * p.n * p.m);
    std::fprintf(out, "%.17g\n", agree(all, gradients, F<double>::NAME));
    if (options.sums || !options.check.empty()) return;
    std::vector<std::function<void()>> runs;
    for (Contestant &contestant : all) runs.push_back([&] { contestant.run(gradients.data()); });
    const auto times = medians(runs, options);
    for (std::size_t i = 0; i < all.size(); i++) std::fprintf(out, "%.17g %s\n", times[i], all[i].name.c_str());
}

template <template <class> class F>
void measure(const Options &options, std::vector<Row> &rows, std::map<std::string, double> &sums) {
    const std::string name = F<double>::NAME;
    auto named = [&](const std::string &part) { return name.find(part) != std::string::npos; };
    if (!options.only.empty() && std::none_of(options.only.begin(), options.only.end(), named)) return;
    std::fprintf(stderr, "%s ..\n", name.c_str());
    const bool several = F<double>().points().count > 1;
    Row row = {name, {}};
    for (auto contestants : {point_by_point<F>, by_blocks<F>}) {
        if (contestants == by_blocks<F> && !several) continue;
        std::istringstream lines(of_a_child([&](std::FILE *out) { measure_here<F>(options, contestants, out); }));
        double sum, us;
        lines >> sum;
        if (sums.count(name) && !(std::abs(sum - sums[name]) <= 1e-9 * std::abs(sum))) fail(name + ": two sums of gradients");
        sums[name] = sum;
        for (std::string who; lines >> us && std::getline(lines >> std::ws, who);) row.times.push_back({who, us});
    }
    if (options.sums) std::printf("%s %.12e\n", name.c_str(), sums[name]), std::fflush(stdout);
    rows.push_back(row);
}

// As the second table of ../scalar.
void print(const std::vector<Row> &rows) {
    std::vector<std::string> names;
    for (auto &row : rows)
        for (auto &[name, us] : row.times)
            if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    std::string rule = "| --- |";
    std::printf("| µs |");
    for (auto &row : rows) std::printf(" %s |", row.name.c_str()), rule += " --- |";
    std::printf("\n%s\n", rule.c_str());
    for (auto &wanted : names) {
        std::printf("| %s |", wanted.c_str());
        for (auto &row : rows) {
            auto found = std::find_if(row.times.begin(), row.times.end(), [&](auto &time) { return time.first == wanted; });
            found == row.times.end() ? std::printf("  |") : std::printf(" %.1f |", found->second);
        }
        std::printf("\n");
    }
}

// Compares with what `../scalar` prints with `--sums`.
void compare(const std::string &path, const std::map<std::string, double> &sums) {
    std::ifstream file(path);
    std::map<std::string, double> others;
    std::string name;
    for (double sum; file >> name >> sum;) others[name] = sum;
    for (auto &[name, sum] : sums) {
        if (!others.count(name)) fail(path + " has no sum of " + name);
        const double difference = std::abs(sum - others[name]) / std::abs(others[name]);
        std::printf("%s %.12e, relative difference %.1e\n", name.c_str(), sum, difference);
        if (!(difference <= 1e-9)) fail(name + ": the gradients are not those of " + path);
    }
}

Options parse(int count, char **words) {
    Options options;
    for (int i = 1; i < count; i++) {
        const std::string word = words[i];
        auto next = [&] { return ++i < count ? std::string(words[i]) : (fail(word + " needs a value"), std::string()); };
        if (word == "--sums") options.sums = true;
        else if (word == "--check") options.check = next();
        else if (word == "--turns") options.turns = std::max(1, std::atoi(next().c_str()));
        else if (word == "--milliseconds") options.milliseconds = std::atof(next().c_str());
        else if (word == "--only") {
            std::string names = next() + ",";
            for (std::size_t end; (end = names.find(',')) != std::string::npos; names.erase(0, end + 1))
                options.only.push_back(names.substr(0, end));
        } else fail("usage: adolc [--only NAME,..] [--turns N] [--milliseconds X] [--sums | --check FILE]");
    }
    return options;
}

int main(int count, char **words) try {
    const Options options = parse(count, words);
    // Freed buffers of a tape stay with the process: the next recording need not ask the system for the same pages.
    mallopt(M_MMAP_MAX, 0), mallopt(M_TRIM_THRESHOLD, -1);
    std::vector<Row> rows;
    std::map<std::string, double> sums;
    measure<Mixture>(options, rows, sums);
    measure<Bundle>(options, rows, sums);
    measure<BlackScholes>(options, rows, sums);
    measure<Rosenbrock>(options, rows, sums);
    measure<Lorenz>(options, rows, sums);
    measure<Lstm>(options, rows, sums);
    measure<Mlp>(options, rows, sums);
    measure<LogSumExp>(options, rows, sums);
    if (!options.check.empty()) compare(options.check, sums);
    else if (!options.sums) print(rows);
} catch (const std::exception &error) {
    fail(error.what());
}
