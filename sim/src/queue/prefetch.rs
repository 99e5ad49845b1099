//! A hint to the processor: safe to call, and the only `unsafe` of this crate.
#![allow(unsafe_code)] // the prefetch instruction is reached by an intrinsic that takes a raw pointer

/// Asks for the memory at the start of `slice[index]` to be brought into the cache. Never changes what a program does: an
/// index out of bounds, or a processor other than x86-64, makes it do nothing.
#[inline(always)]
pub fn prefetch<E>(slice: &[E], index: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(element) = slice.get(index) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads and writes nothing and cannot fault; the pointer comes from a live reference.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(element).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (slice, index);
}
