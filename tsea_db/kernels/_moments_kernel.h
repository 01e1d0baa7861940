/* Moments of one row; the same operations in the same order as tsea_db.kernels.moments.moments_row. Token t belongs to
   lane t % SUM_LANES of every sum, and lanes are added up in order at the end. */

static TARGET int FN(moments_row)(
    const float *restrict weights, int64_t n, const double *restrict inverse_norms, double *restrict numbers)
{
    double total[SUM_LANES] = {0}, scaled_total[SUM_LANES] = {0}, scaled_squares[SUM_LANES] = {0};
    double m2[SUM_LANES] = {0}, m3[SUM_LANES] = {0}, m4[SUM_LANES] = {0};
    int64_t same = 1;
    for (int64_t t = 0; t < n; t += SUM_LANES) {
        int64_t n_here = n - t < SUM_LANES ? n - t : SUM_LANES;
        for (int64_t lane = 0; lane < n_here; lane++) {
            double weight = weights[t + lane], scaled = weight * inverse_norms[t + lane];
            total[lane] += weight;
            scaled_total[lane] += scaled;
            scaled_squares[lane] += scaled * scaled;
        }
    }
    double mean = add_lanes(total) / (double)n, scaled_mean = add_lanes(scaled_total) / (double)n;
    while (same < n && weights[same] == weights[0]) same++;
    memset(numbers, 0, N_MOMENTS * sizeof *numbers);
    if (same == n && isfinite(mean)) return 1;
    for (int64_t t = 0; t < n; t += SUM_LANES) {
        int64_t n_here = n - t < SUM_LANES ? n - t : SUM_LANES;
        for (int64_t lane = 0; lane < n_here; lane++) {
            double difference = (double)weights[t + lane] - mean, square = difference * difference;
            m2[lane] += square;
            m3[lane] += square * difference;
            m4[lane] += square * square;
        }
    }
    double variance = add_lanes(m2) / (double)n, std = sqrt(variance);
    double cosines = add_lanes(scaled_squares) / (double)n - scaled_mean * scaled_mean;
    numbers[0] = mean;
    numbers[1] = std;
    numbers[2] = add_lanes(m3) / (double)n / (variance * std);
    numbers[3] = add_lanes(m4) / (double)n / (variance * variance);
    numbers[4] = cosines > 0.0 ? cosines : 0.0;
    return 0;
}
