// The objectives of benches/workloads/objectives, statement for statement, over any number `T` that has C++'s operators and functions.
// What an evaluation needs of room stands in the objective: an ADOL-C variable that is made while recording is an operation more.
#pragma once
#include <cmath>
#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

// Where a function is differentiated: `count` points of `n` numbers, one after the other; it has `m` results.
struct Points {
    int n, m, count;
    std::vector<double> x;
};

inline double value(double x) { return x; }

// The numbers that every library gets.
class Lcg {
    std::uint64_t state;

public:
    explicit Lcg(std::uint64_t seed) : state(seed) {}
    // Uniform in 0..1.
    double uniform() {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return double(state >> 11) / double(std::uint64_t(1) << 53);
    }
};

// The numbers of a file of data/adbench, of this folder or one above.
inline std::vector<double> data(const std::string &name) {
    std::string folder;
    for (int up = 0; up < 6; up++, folder += "../") {
        std::ifstream file(folder + "data/adbench/" + name);
        std::vector<double> numbers;
        for (double x; file >> x;) numbers.push_back(x);
        if (!numbers.empty()) return numbers;
    }
    throw std::runtime_error("data/adbench/" + name + " is missing: run inside the repository");
}

// y = ln(sum of e^x), without overflow. On a tape the largest is a constant, which changes neither value nor derivative.
template <class T> void logsumexp(T &y, const T *x, int n) {
    double largest = value(x[0]);
    for (int i = 1; i < n; i++) largest = std::max(largest, value(x[i]));
    y = exp(x[0] - largest);
    for (int i = 1; i < n; i++) y += exp(x[i] - largest);
    y = log(y) + largest;
}

// ADBench's Gaussian mixture: the log likelihood of 1,000 points and a prior on the covariances.
template <class T> class Mixture {
    static constexpr int D = 10, K = 25, TRIANGLE = D * (D + 1) / 2;
    int n;
    double gamma, m, constant;
    std::vector<double> parameters, data_points;
    std::vector<T> diagonals = std::vector<T>(K * D), sums = std::vector<T>(K);
    T centred[D], product[D], terms[K], square, likelihood, priors, term;

    static const T *triangle(const T *x, int k) { return x + K + K * D + k * TRIANGLE; }

    void at(T &y, const T *x, int i) {
        const double *point = &data_points[i * D];
        for (int k = 0; k < K; k++) {
            for (int j = 0; j < D; j++) {
                centred[j] = point[j] - x[K + k * D + j];
                product[j] = diagonals[k * D + j] * centred[j];
            }
            const T *below = triangle(x, k) + D;
            for (int column = 0; column < D; column++)
                for (int row = column + 1; row < D; row++) product[row] += *below++ * centred[column];
            square = product[0] * product[0];
            for (int j = 1; j < D; j++) square += product[j] * product[j];
            terms[k] = x[k] + sums[k] - square * 0.5;
        }
        logsumexp(y, terms, K);
    }

    void prior(T &y, const T *x, int k) {
        square = diagonals[k * D] * diagonals[k * D];
        for (int j = 1; j < D; j++) square += diagonals[k * D + j] * diagonals[k * D + j];
        const T *t = triangle(x, k);
        for (int j = D; j < TRIANGLE; j++) square += t[j] * t[j];
        y = square * (0.5 * gamma * gamma) - sums[k] * m;
    }

public:
    static constexpr const char *NAME = "mixture";
    Mixture() {
        auto numbers = data("gmm_d10_K25.txt");
        n = int(numbers[2]);
        if (numbers[0] != D || numbers[1] != K) throw std::runtime_error("mixture: another file");
        auto first = numbers.begin() + 3, points = first + K + K * D + K * TRIANGLE, prior = points + n * D;
        parameters.assign(first, points);
        data_points.assign(points, prior);
        gamma = prior[0], m = prior[1];
        const double pi = M_PI, q = D + m + 1.0;
        double multigamma = 0.25 * D * (D - 1.0) * std::log(pi);
        for (int j = 1; j <= D; j++) multigamma += std::lgamma(0.5 * q + 0.5 * (1.0 - j));
        constant = -double(n) * D * 0.5 * std::log(2.0 * pi) - K * (q * D * (std::log(gamma) - 0.5 * std::log(2.0)) - multigamma);
    }
    Points points() const { return {int(parameters.size()), 1, 1, parameters}; }
    void eval(const T *x, T *y) {
        for (int k = 0; k < K; k++) {
            const T *t = triangle(x, k);
            for (int j = 0; j < D; j++) diagonals[k * D + j] = exp(t[j]);
            sums[k] = t[0] + t[1];
            for (int j = 2; j < D; j++) sums[k] += t[j];
        }
        at(likelihood, x, 0);
        for (int i = 1; i < n; i++) at(term, x, i), likelihood += term;
        prior(priors, x, 0);
        for (int k = 1; k < K; k++) prior(term, x, k), priors += term;
        logsumexp(term, x, K);
        y[0] = likelihood - term * double(n) + priors + constant;
    }
};

// The two residuals of a bundle adjustment (a camera of 11 numbers, a point, a weight), 10,000 times, as ADBench defines them.
template <class T> class Bundle {
    T xo[3], u[3], cross[3], xc[3];

public:
    static constexpr const char *NAME = "bundle";
    Points points() const {
        const double camera_point_weight[15] = {0.0157, -0.0128, -0.0044, -0.0341, -0.1075, 1.1202, 399.75, 320.0, 240.0,
            -3.177e-2, 5.882e-2, -0.6120, 0.5718, -1.8471, 0.9};
        Lcg lcg(42);
        std::vector<double> x(150000);
        for (int i = 0; i < 150000; i++) x[i] = camera_point_weight[i % 15] * (0.9 + 0.2 * lcg.uniform());
        return {15, 2, 10000, x};
    }
    void eval(const T *p, T *y) {
        for (int j = 0; j < 3; j++) xo[j] = p[11 + j] - p[3 + j];
        // Rodrigues' rotation.
        T angle = sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2]);
        T c = cos(angle), s = sin(angle), inverse = 1.0 / angle;
        for (int j = 0; j < 3; j++) u[j] = p[j] * inverse;
        for (int j = 0; j < 3; j++) cross[j] = u[(j + 1) % 3] * xo[(j + 2) % 3] - u[(j + 2) % 3] * xo[(j + 1) % 3];
        T along = (u[0] * xo[0] + u[1] * xo[1] + u[2] * xo[2]) * (1.0 - c);
        for (int j = 0; j < 3; j++) xc[j] = xo[j] * c + cross[j] * s + u[j] * along;
        // Radial distortion.
        T p0 = xc[0] / xc[2], p1 = xc[1] / xc[2];
        T r2 = p0 * p0 + p1 * p1;
        T l = p[9] * r2 + 1.0 + p[10] * r2 * r2;
        y[0] = p[14] * (p0 * l * p[6] + p[7] + -332.65);
        y[1] = p[14] * (p1 * l * p[6] + p[8] + -262.09);
    }
};

// European calls by Black and Scholes at 10,000 points. The only objective with a branch of its own: the sign of the normal
// distribution function's argument. ADOL-C keeps the comparison on the tape and refuses to replay another outcome.
template <class T> class BlackScholes {
    // Abramowitz and Stegun, 26.2.17.
    static void normal_cdf(T &y, const T &x) {
        const bool left = x < 0.0;
        if (left) y = -x;
        else y = x;
        T k = 1.0 / (y * 0.2316419 + 1.0);
        T p = k * 1.330274429 + -1.821255978;
        p = k * p + 1.781477937;
        p = k * p + -0.356563782;
        p = k * (k * p + 0.319381530);
        y = exp(y * y * -0.5) * 0.3989422804014327 * p;
        if (!left) y = 1.0 - y;
    }
    T first, second;

public:
    static constexpr const char *NAME = "black_scholes";
    Points points() const {
        Lcg lcg(42);
        std::vector<double> x;
        const double lo[5] = {105.0, 80.0, 0.03, 0.1, 0.2}, width[5] = {45.0, 20.0, 0.05, 0.12, 1.8};
        for (int i = 0; i < 50000; i++) x.push_back(lo[i % 5] + width[i % 5] * lcg.uniform());
        return {5, 1, 10000, x};
    }
    void eval(const T *x, T *y) {
        const T &s = x[0], &k = x[1], &r = x[2], &v = x[3], &t = x[4];
        T sd = v * sqrt(t);
        T d1 = (log(s / k) + (r + v * v * 0.5) * t) / sd;
        T d2 = d1 - sd;
        normal_cdf(first, d1), normal_cdf(second, d2);
        y[0] = s * first - k * exp(-(r * t)) * second;
    }
};

// Rosenbrock's function of 1,000 numbers.
template <class T> class Rosenbrock {
    T a, b;

public:
    static constexpr const char *NAME = "rosenbrock";
    Points points() const {
        Lcg lcg(42);
        std::vector<double> x(1000);
        for (double &x : x) x = 2.0 * lcg.uniform() - 0.5;
        return {1000, 1, 1, x};
    }
    void eval(const T *x, T *y) {
        for (int i = 0; i < 999; i++) {
            a = x[i + 1] - x[i] * x[i];
            b = 1.0 - x[i];
            if (i == 0) y[0] = a * a * 100.0 + b * b;
            else y[0] += a * a * 100.0 + b * b;
        }
    }
};

// Where an orbit of Lorenz' equations is after 1,000 steps of Runge and Kutta's fourth order: the sum of its coordinates.
template <class T> class Lorenz {
    T s[3], moved[3], k1[3], k2[3], k3[3], k4[3];

    static void slope(T *k, const T *x, const T *s) {
        k[0] = x[3] * (s[1] - s[0]);
        k[1] = s[0] * (x[4] - s[2]) - s[1];
        k[2] = s[0] * s[1] - x[5] * s[2];
    }
    void along(const T *k, double c) {
        for (int j = 0; j < 3; j++) moved[j] = s[j] + k[j] * c;
    }

public:
    static constexpr const char *NAME = "lorenz";
    Points points() const { return {6, 1, 1, {1.0, 1.5, 20.0, 10.0, 28.0, 8.0 / 3.0}}; }
    void eval(const T *x, T *y) {
        const double H = 0.005;
        for (int j = 0; j < 3; j++) s[j] = x[j];
        for (int step = 0; step < 1000; step++) {
            slope(k1, x, s);
            along(k1, 0.5 * H), slope(k2, x, moved);
            along(k2, 0.5 * H), slope(k3, x, moved);
            along(k3, H), slope(k4, x, moved);
            for (int j = 0; j < 3; j++) s[j] += (k1[j] + (k2[j] + k3[j]) * 2.0 + k4[j]) * (H / 6.0);
        }
        y[0] = s[0] + s[1] + s[2];
    }
};

// ADBench's LSTM on 200 characters of its file: its gates are diagonal.
template <class T> class Lstm {
    static constexpr int STEPS = 200;
    int layers, cells;
    std::vector<double> parameters, start, sequence;
    std::vector<T> state, x;
    T forget, ingate, output, change, sum, total;

    static void sigmoid(T &y) { y = 1.0 / (exp(-y) + 1.0); }

    // A step of one layer: `x` becomes its output. Weights and biases of the four gates stand one after the other.
    void layer(const T *w, T *h, T *c) {
        const int b = cells;
        const T *bias = w + 4 * b;
        for (int j = 0; j < b; j++) {
            forget = bias[j] + x[j] * w[j], sigmoid(forget);
            ingate = bias[b + j] + h[j] * w[b + j], sigmoid(ingate);
            output = bias[2 * b + j] + x[j] * w[2 * b + j], sigmoid(output);
            change = tanh(bias[3 * b + j] + h[j] * w[3 * b + j]);
            c[j] = c[j] * forget + ingate * change;
            h[j] = output * tanh(c[j]);
            x[j] = h[j];
        }
    }

public:
    static constexpr const char *NAME = "lstm";
    Lstm() {
        auto numbers = data("lstm_l2_c1024.txt");
        layers = int(numbers[0]), cells = int(numbers[2]);
        auto first = numbers.begin() + 3, states = first + 8 * layers * cells + 3 * cells, rest = states + 2 * layers * cells;
        parameters.assign(first, states);
        start.assign(states, rest);
        sequence.assign(rest, rest + STEPS * cells);
        state = std::vector<T>(start.size()), x = std::vector<T>(cells);
    }
    Points points() const { return {int(parameters.size()), 1, 1, parameters}; }
    void eval(const T *p, T *y) {
        const int b = cells;
        const T *extra = p + 8 * layers * b;
        for (std::size_t i = 0; i < start.size(); i++) state[i] = start[i];
        bool none = true;
        for (int t = 0; t < STEPS - 1; t++) {
            const double *now = &sequence[t * b], *next = now + b;
            for (int j = 0; j < b; j++) x[j] = extra[j] * now[j];
            for (int i = 0; i < layers; i++) layer(p + 8 * i * b, &state[2 * i * b], &state[(2 * i + 1) * b]);
            for (int j = 0; j < b; j++) x[j] = extra[2 * b + j] + x[j] * extra[b + j];
            sum = exp(x[0]);
            for (int j = 1; j < b; j++) sum += exp(x[j]);
            sum = log(sum + 2.0);
            for (int j = 0; j < b; j++) {
                if (next[j] == 0.0) continue;
                if (none) total = (x[j] - sum) * next[j];
                else total += (x[j] - sum) * next[j];
                none = false;
            }
        }
        y[0] = total * (-1.0 / ((STEPS - 1) * b));
    }
};

// 2-16-16-1 with ReLU on 100 points of two moons, hinge loss with weight decay. `fmax` keeps both sides of a ReLU on the tape.
template <class T> class Mlp {
    static constexpr int H = 16, PARAMETERS = 3 * H + (H + 1) * H + H + 1, POINTS = 100;
    double moons[POINTS][3];
    T h1[H], h2[H], output, loss, decay;

    static void relu(T &x) {
        using std::fmax;
        x = fmax(x, 0.0);
    }
    // Weights, the last of them a bias, by inputs.
    static void weighted(T &y, const T *w, const T *h) {
        y = w[H];
        for (int k = 0; k < H; k++) y += w[k] * h[k];
    }
    void at(const T *p, int i) {
        const double *moon = moons[i];
        for (int j = 0; j < H; j++) {
            const T *w = p + 3 * j;
            h1[j] = w[2] + w[0] * moon[0] + w[1] * moon[1], relu(h1[j]);
        }
        const T *second = p + 3 * H, *last = second + (H + 1) * H;
        for (int j = 0; j < H; j++) weighted(h2[j], second + (H + 1) * j, h1), relu(h2[j]);
        weighted(output, last, h2);
        output = 1.0 - output * moon[2], relu(output);
    }

public:
    static constexpr const char *NAME = "mlp";
    Mlp() {
        Lcg lcg(7);
        for (int i = 0; i < POINTS; i++) {
            const double angle = M_PI * lcg.uniform();
            const bool up = i % 2 == 0;
            moons[i][0] = (up ? std::cos(angle) : 1.0 - std::cos(angle)) + 0.1 * (lcg.uniform() - 0.5);
            moons[i][1] = (up ? std::sin(angle) : 0.5 - std::sin(angle)) + 0.1 * (lcg.uniform() - 0.5);
            moons[i][2] = up ? -1.0 : 1.0;
        }
    }
    Points points() const {
        Lcg lcg(42);
        std::vector<double> x(PARAMETERS);
        for (double &x : x) x = 2.0 * lcg.uniform() - 1.0;
        return {PARAMETERS, 1, 1, x};
    }
    void eval(const T *p, T *y) {
        at(p, 0), loss = output;
        for (int i = 1; i < POINTS; i++) at(p, i), loss += output;
        decay = p[0] * p[0];
        for (int i = 1; i < PARAMETERS; i++) decay += p[i] * p[i];
        y[0] = loss * (1.0 / POINTS) + decay * 1e-4;
    }
};

// ln(sum of e^x) of 1,000 numbers.
template <class T> class LogSumExp {
public:
    static constexpr const char *NAME = "logsumexp";
    Points points() const {
        Lcg lcg(42);
        std::vector<double> x(1000);
        for (double &x : x) x = 8.0 * lcg.uniform() - 4.0;
        return {1000, 1, 1, x};
    }
    void eval(const T *x, T *y) { logsumexp(y[0], x, 1000); }
};
