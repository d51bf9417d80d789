//! What was measured.

/// One workload with one number of threads. Times are medians in microseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) threads: usize,
    pub(crate) ours: f64,
    /// The least time, where it has one.
    pub(crate) roof: Option<f64>,
    /// The steps' ops, where the time is given for one.
    pub(crate) ops: Option<f64>,
    pub(crate) peers: Peers,
    /// Speed over that of one thread: the median of pairs that took turns.
    pub(crate) speedup: Option<f64>,
    /// Calls to the allocator in a step, the crate gemm's included.
    pub(crate) allocations: f64,
}

/// What the other libraries took, where they were measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peers {
    pub(crate) torch: Option<Peer>,
    pub(crate) fused: Option<Peer>,
    pub(crate) jax: Option<Peer>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    /// Median in microseconds.
    pub(crate) us: f64,
    /// Our time over theirs: the median of pairs that took turns.
    pub(crate) ratio: f64,
}

impl Row {
    pub(crate) fn times_roof(&self) -> Option<f64> {
        self.roof.map(|roof| self.ours / roof)
    }

    /// PyTorch with the optimizers that suit it better.
    pub(crate) fn torch(&self) -> Option<Peer> {
        let both = [self.peers.torch, self.peers.fused];
        both.into_iter().flatten().min_by(|a, b| a.us.total_cmp(&b.us))
    }

    /// The libraries by name.
    pub(crate) fn others(&self) -> impl Iterator<Item = (&'static str, Peer)> {
        [("PyTorch", self.torch()), ("JAX", self.peers.jax)].into_iter().filter_map(|(name, peer)| Some((name, peer?)))
    }
}

/// Sorts.
pub(crate) fn median(x: &mut [f64]) -> f64 {
    x.sort_by(f64::total_cmp);
    match x.len() {
        0 => f64::NAN,
        n => 0.5 * (x[(n - 1) / 2] + x[n / 2]),
    }
}
