//! An allocator that counts, for tests of what is allocated: the counts are of the whole process.
#![allow(dead_code, reason = "each test binary uses a part")]
use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst},
};

pub(crate) struct Counting;

/// How often memory was asked for.
pub(crate) static CALLS: AtomicUsize = AtomicUsize::new(0);
/// Bytes that are allocated, and the most of them so far.
pub(crate) static LIVE: AtomicI64 = AtomicI64::new(0);
pub(crate) static PEAK: AtomicI64 = AtomicI64::new(0);
/// The most bytes asked for at once.
pub(crate) static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, SeqCst);
        let before = LIVE.fetch_add(layout.size() as i64, SeqCst);
        PEAK.fetch_max(before + layout.size() as i64, SeqCst);
        LARGEST.fetch_max(layout.size(), SeqCst);
        // SAFETY: the caller's promise about the layout.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as i64, SeqCst);
        // SAFETY: the caller's promise that `p` came from here with this layout.
        unsafe { System.dealloc(p, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
