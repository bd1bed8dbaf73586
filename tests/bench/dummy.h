// SPDX-License-Identifier: Apache-2.0
// Values of a metric's size for the programs beside the processor. As in a metric, names repeat and digits do
// not: lz4 takes them to about three eighths (the metrics of 12 154 daily bars: 2.66 to 1, 640 MB/s). One
// text again and again would cost nothing to compress. Pure.
#ifndef MF_TESTS_BENCH_DUMMY_H
#define MF_TESTS_BENCH_DUMMY_H

#include "common/base.h"

struct dummies;

// Values of `size` bytes each, always the same ones. The caller frees them.
struct dummies *dummies_new(size_t size);
void dummies_free(struct dummies **dummies);
// The next one; they come round after 512, far beyond what lz4 looks back.
struct mf_str dummies_next(struct dummies *dummies);

#endif
