// SPDX-License-Identifier: GPL-2.0

//! DPDK's `rte_fib` (DIR24_8) and `rte_fib6` (TRIE), by their public interface: a single lookup is
//! a bulk lookup of one key.

use crate::{
    harness::{Lookup, BATCH},
    tables::{Fam, Keys},
};
use altfib_unit::lpm::{Prefix, V4, V6};
use std::{
    collections::HashSet,
    ffi::{c_char, c_int, c_void, CString},
    sync::{
        atomic::{AtomicUsize, Ordering::Relaxed},
        Arc,
    },
};

extern "C" {
    fn bench_dpdk_init(megabytes: *const c_char, lcores: *const c_char, huge: c_int) -> c_int;
    fn bench_dpdk_allocated() -> usize;
    fn bench_fib_create(
        name: *const c_char,
        routes: c_int,
        two_bytes: c_int,
        tbl8: u32,
    ) -> *mut c_void;
    fn bench_fib_select(fib: *mut c_void, vector: c_int) -> c_int;
    fn bench_fib6_create(
        name: *const c_char,
        routes: c_int,
        two_bytes: c_int,
        tbl8: u32,
    ) -> *mut c_void;
    fn bench_fib6_select(fib: *mut c_void, vector: c_int) -> c_int;

    fn rte_fib_add(fib: *mut c_void, ip: u32, depth: u8, next_hop: u64) -> c_int;
    fn rte_fib_delete(fib: *mut c_void, ip: u32, depth: u8) -> c_int;
    fn rte_fib_lookup_bulk(fib: *mut c_void, ips: *const u32, hops: *mut u64, n: c_int) -> c_int;
    fn rte_fib_free(fib: *mut c_void);
    fn rte_fib6_add(fib: *mut c_void, ip: *const u8, depth: u8, next_hop: u64) -> c_int;
    fn rte_fib6_delete(fib: *mut c_void, ip: *const u8, depth: u8) -> c_int;
    fn rte_fib6_lookup_bulk(
        fib: *mut c_void,
        ips: *const [u8; 16],
        hops: *mut u64,
        n: c_int,
    ) -> c_int;
    fn rte_fib6_free(fib: *mut c_void);
}

/// Starts DPDK. Its memory is taken as it is used, so `megabytes` is only a limit.
pub fn start(megabytes: usize, cpus: usize, huge: bool) {
    let megabytes = CString::new(megabytes.to_string()).expect("no zero");
    // One thread of DPDK's, which is ours and may run anywhere.
    let lcores = CString::new(format!("0@(0-{})", cpus.max(2) - 1)).expect("no zero");
    // SAFETY: The strings end with a zero; they are kept for good since DPDK may.
    let err = unsafe { bench_dpdk_init(megabytes.into_raw(), lcores.into_raw(), huge.into()) };
    assert!(err >= 0, "DPDK does not start: {err}");
}

/// Bytes that DPDK's heap has given out.
pub fn allocated() -> usize {
    // SAFETY: It has no requirements but that DPDK runs.
    unsafe { bench_dpdk_allocated() }
}

/// Tables of 256 slots that a family's table needs: one for each first `24, 32, 40, ..` bits that
/// have a longer prefix.
fn tbl8<F: Fam>(routes: &[(Prefix<F>, u32)]) -> usize {
    let mut used = HashSet::new();
    for (p, _) in routes {
        let mut len = 24;
        while len < p.len() {
            used.insert(Prefix::<F>::new(p.addr(), len).expect("a length"));
            len += 8;
        }
    }
    used.len()
}

/// A table of DPDK's.
pub struct Fib<F: Fam> {
    fib: *mut c_void,
    /// Bytes that lookups touch.
    pub touched: usize,
    add: unsafe fn(*mut c_void, Prefix<F>, u64) -> c_int,
    delete: unsafe fn(*mut c_void, Prefix<F>) -> c_int,
    free: unsafe extern "C" fn(*mut c_void),
}

// SAFETY: DPDK's tables are not tied to a thread.
unsafe impl<F: Fam> Send for Fib<F> {}
// SAFETY: Made for lookups beside one writer, and nothing here writes from two threads at a time.
unsafe impl<F: Fam> Sync for Fib<F> {}

/// # Safety
///
/// The table lives; this goes for all four.
unsafe fn add4(fib: *mut c_void, p: Prefix<V4>, hop: u64) -> c_int {
    // SAFETY: By the caller's promise.
    unsafe { rte_fib_add(fib, p.addr(), p.len(), hop) }
}

unsafe fn delete4(fib: *mut c_void, p: Prefix<V4>) -> c_int {
    // SAFETY: By the caller's promise.
    unsafe { rte_fib_delete(fib, p.addr(), p.len()) }
}

unsafe fn add6(fib: *mut c_void, p: Prefix<V6>, hop: u64) -> c_int {
    // SAFETY: By the caller's promise; DPDK only reads the address.
    unsafe { rte_fib6_add(fib, p.addr().to_be_bytes().as_ptr(), p.len(), hop) }
}

unsafe fn delete6(fib: *mut c_void, p: Prefix<V6>) -> c_int {
    // SAFETY: As above.
    unsafe { rte_fib6_delete(fib, p.addr().to_be_bytes().as_ptr(), p.len()) }
}

static NAMES: AtomicUsize = AtomicUsize::new(0);

macro_rules! fib {
    ($family:ident, $key:ty, $create:ident, $select:ident, $add:ident, $delete:ident, $lookup:ident,
        $free:ident, $field:ident) => {
        impl Fib<$family> {
            /// An empty table with room for `routes` and for updates of them, and `slack` times the
            /// groups of slots that these need: DPDK reserves more than it uses. `None` if it cannot.
            pub fn create(
                routes: &[(Prefix<$family>, u32)],
                two_bytes: bool,
                slack: usize,
            ) -> Option<Self> {
                let name = format!("bench{}", NAMES.fetch_add(1, Relaxed));
                let name = CString::new(name).expect("no zero");
                let used = tbl8(routes);
                // SAFETY: The name ends with a zero.
                let fib = unsafe {
                    $create(
                        name.as_ptr(),
                        (routes.len() * 5 / 4 + 100) as c_int,
                        two_bytes.into(),
                        // With two bytes a slot has 15 bits for the number of a table.
                        (used * slack + 256).min(if two_bytes { 32767 } else { 1 << 24 }) as u32,
                    )
                };
                let slot = if two_bytes { 2 } else { 4 };
                (!fib.is_null()).then(|| Fib {
                    fib,
                    touched: (1 << 24) * slot + used * 256 * slot,
                    add: $add,
                    delete: $delete,
                    free: $free,
                })
            }

            /// Looks up by AVX-512 or not; `None` if this CPU has none.
            pub fn view(of: &Arc<Self>, vector: bool) -> Option<View<$family>> {
                // SAFETY: The table lives.
                let err = unsafe { $select(of.fib, vector.into()) };
                let of = Arc::clone(of);
                (err == 0).then_some(View { of, vector })
            }
        }

        impl Lookup<$family> for View<$family> {
            type Key = $key;

            fn keys(keys: &Keys<$family>) -> &[$key] {
                &keys.$field
            }

            #[inline(always)]
            fn one(&self, key: &$key) -> u32 {
                let mut hop = 0;
                // SAFETY: The table lives, and there is one key and room for one answer.
                unsafe { $lookup(self.of.fib, key, &mut hop, 1) };
                hop as u32
            }

            #[inline(always)]
            fn batch(&self, keys: &[$key; BATCH]) -> u32 {
                let mut hops = [0; BATCH];
                // SAFETY: The table lives, and there are so many keys and answers.
                unsafe {
                    $lookup(
                        self.of.fib,
                        keys.as_ptr(),
                        hops.as_mut_ptr(),
                        BATCH as c_int,
                    )
                };
                hops.iter().fold(0, |sum, &hop| sum ^ hop as u32)
            }

            fn select(&self) {
                // SAFETY: The table lives.
                let err = unsafe { $select(self.of.fib, self.vector.into()) };
                assert_eq!(err, 0);
            }
        }
    };
}

fib!(
    V4,
    u32,
    bench_fib_create,
    bench_fib_select,
    add4,
    delete4,
    rte_fib_lookup_bulk,
    rte_fib_free,
    host
);
fib!(
    V6,
    [u8; 16],
    bench_fib6_create,
    bench_fib6_select,
    add6,
    delete6,
    rte_fib6_lookup_bulk,
    rte_fib6_free,
    net
);

impl<F: Fam> Fib<F> {
    /// Inserts or replaces; whether it could.
    #[must_use]
    pub fn insert(&self, p: Prefix<F>, value: u32) -> bool {
        // SAFETY: The table lives and is of this family; the caller sees to it that there is one
        // writer.
        unsafe { (self.add)(self.fib, p, value.into()) == 0 }
    }

    /// Removes; whether it could.
    #[must_use]
    pub fn remove(&self, p: Prefix<F>) -> bool {
        // SAFETY: As above.
        unsafe { (self.delete)(self.fib, p) == 0 }
    }
}

impl<F: Fam> Drop for Fib<F> {
    fn drop(&mut self) {
        // SAFETY: Views hold on to the table, so nobody uses it any more.
        unsafe { (self.free)(self.fib) };
    }
}

/// A table and one of the ways to look up in it.
pub struct View<F: Fam> {
    of: Arc<Fib<F>>,
    vector: bool,
}
