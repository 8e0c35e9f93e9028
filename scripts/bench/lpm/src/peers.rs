// SPDX-License-Identifier: GPL-2.0

//! All structures with the same routes.

use crate::{
    crates::{v4, v6},
    dpdk::{self, Fib},
    dxr::Dxr,
    harness::{Mode, Nothing, Run},
    linear::Linear,
    memory,
    ours::Ours,
    tables::{Fam, Keys, Routes},
};
use altfib_unit::lpm::{V4, V6};
use std::{rc::Rc, sync::Arc, time::Instant};

/// Who made a structure: targets are about the best of a kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Ours,
    Dpdk,
    Crate,
    /// DXR, written for this.
    Own,
    Linear,
    /// The loops alone.
    Nothing,
}

impl Kind {
    /// The name of the loops alone.
    pub const LOOP: &'static str = "(loop alone)";
}

pub struct Peer<F: Fam> {
    pub name: &'static str,
    pub kind: Kind,
    pub run: Rc<dyn Run<F>>,
    /// Whether single lookups differ from those of the peer before, and batches.
    pub single: bool,
    pub batch: bool,
    /// Time to build from sorted routes (ours: from routes in any order), and bytes that lookups
    /// may touch and all bytes.
    pub build: Option<f64>,
    pub touched: Option<usize>,
    pub memory: Option<usize>,
    /// Which of our structures it is.
    pub algorithm: &'static str,
}

/// Structures, and why others are not there.
pub struct Peers<F: Fam> {
    pub all: Vec<Peer<F>>,
    pub missing: Vec<String>,
}

fn timed<T>(f: impl FnOnce() -> T) -> (T, f64, usize) {
    let before = memory::live();
    let begin = Instant::now();
    let done = f();
    let time = begin.elapsed().as_secs_f64();
    (done, time, memory::live().wrapping_sub(before))
}

impl<F: Fam> Peers<F> {
    fn new() -> Self {
        Peers {
            all: Vec::new(),
            missing: Vec::new(),
        }
    }

    fn add(&mut self, name: &'static str, kind: Kind, run: impl Run<F> + 'static) -> &mut Peer<F> {
        self.all.push(Peer {
            name,
            kind,
            run: Rc::new(run),
            single: true,
            batch: true,
            build: None,
            touched: None,
            memory: None,
            algorithm: "",
        });
        self.all.last_mut().expect("the new one")
    }

    fn built(
        &mut self,
        name: &'static str,
        kind: Kind,
        (run, build, memory): (impl Run<F> + 'static, f64, usize),
    ) -> &mut Peer<F> {
        let peer = self.add(name, kind, run);
        peer.build = Some(build);
        peer.memory = Some(memory);
        peer
    }

    fn common(&mut self, routes: &Routes<F>) {
        self.add(Kind::LOOP, Kind::Nothing, Nothing);
        let (ours, build, _) = timed(|| Ours::build(routes));
        let (touched, memory) = (ours.table.memory(), ours.writer.memory());
        let algorithm = ours.algorithm();
        let peer = self.built("altfib", Kind::Ours, (ours, build, memory));
        peer.touched = Some(touched);
        peer.algorithm = algorithm;
    }
}

macro_rules! dpdk {
    ($peers:ident, $family:ident, $routes:ident, $all:ident, $names:expr) => {
        for (two_bytes, scalar, vector) in $names {
            if two_bytes && !$all {
                continue;
            }
            let before = dpdk::allocated();
            let filled = [2, 4, 8].iter().find_map(|&slack| {
                let fib = Fib::<$family>::create($routes, two_bytes, slack)?;
                let begin = Instant::now();
                let done = $routes.iter().all(|&(p, v)| fib.insert(p, v));
                done.then(|| (fib, begin.elapsed().as_secs_f64()))
            });
            let Some((fib, build)) = filled else {
                $peers
                    .missing
                    .push(format!("{scalar}: DPDK cannot hold this table"));
                continue;
            };
            let memory = dpdk::allocated() - before;
            let touched = fib.touched;
            let fib = Arc::new(fib);
            for (name, wide) in [(scalar, false), (vector, true)] {
                match Fib::<$family>::view(&fib, wide) {
                    Some(view) => {
                        let peer = $peers.built(name, Kind::Dpdk, (view, build, memory));
                        peer.touched = Some(touched);
                        peer.single = !wide;
                    }
                    None => $peers.missing.push(format!("{name}: not on this CPU")),
                }
            }
        }
    };
}

macro_rules! crates {
    ($peers:ident, $module:ident, $routes:ident) => {
        let built = timed(|| $module::TreeBitmap::build($routes));
        $peers.built("treebitmap", Kind::Crate, built);
        let built = timed(|| $module::PrefixTrie::build($routes));
        $peers.built("prefix-trie", Kind::Crate, built);
        let built = timed(|| $module::Patricia::build($routes).compress());
        $peers.built("iptrie (LC)", Kind::Crate, built);
        let built = timed(|| $module::Pop::build($routes));
        $peers.built("poptrie", Kind::Crate, built);
    };
}

macro_rules! dxr {
    ($peers:ident, $routes:ident, $bits:literal, $name:expr) => {
        let (dxr, build, memory) = timed(|| Dxr::<$bits>::build($routes));
        match dxr {
            Some(dxr) => {
                let bytes = dxr.bytes();
                let peer = $peers.built($name, Kind::Own, (dxr, build, memory));
                peer.touched = Some(bytes);
            }
            None => $peers
                .missing
                .push(format!("{}: too large for its format", $name)),
        }
    };
}

/// A family's structures.
pub trait Build: Fam {
    /// `all`: DPDK with values of two bytes too.
    fn build(routes: &Routes<Self>, all: bool) -> Peers<Self>;
}

/// Few enough routes for a plain scan.
const FEW: usize = 10;

impl Build for V4 {
    fn build(routes: &Routes<V4>, all: bool) -> Peers<V4> {
        let mut peers = Peers::new();
        peers.common(routes);
        dpdk!(
            peers,
            V4,
            routes,
            all,
            [
                (false, "rte_fib 4B", "rte_fib 4B AVX-512"),
                (true, "rte_fib 2B", "rte_fib 2B AVX-512")
            ]
        );
        crates!(peers, v4, routes);
        dxr!(peers, routes, 16, "DXR D16");
        dxr!(peers, routes, 18, "DXR D18");
        if routes.len() <= FEW {
            peers.add("linear scan", Kind::Linear, Linear::build(routes));
        }
        peers
    }
}

impl Build for V6 {
    fn build(routes: &Routes<V6>, all: bool) -> Peers<V6> {
        let mut peers = Peers::new();
        peers.common(routes);
        dpdk!(
            peers,
            V6,
            routes,
            all,
            [
                (false, "rte_fib6 4B", "rte_fib6 4B AVX-512"),
                (true, "rte_fib6 2B", "rte_fib6 2B AVX-512")
            ]
        );
        crates!(peers, v6, routes);
        if routes.len() <= FEW {
            peers.add("linear scan", Kind::Linear, Linear::build(routes));
        }
        peers
    }
}

/// Whether all give the same answer to all keys, one by one and in batches; says who does not.
pub fn agree<F: Fam>(peers: &Peers<F>, keys: &Keys<F>) -> Result<(), String> {
    let mut all = peers.all.iter().filter(|peer| peer.kind != Kind::Nothing);
    let ours = all.next().expect("ours");
    let modes = [false, true].map(|batch| Mode {
        batch,
        dependent: false,
    });
    let sums = |peer: &Peer<F>| modes.map(|mode| peer.run.run(keys, mode, 0, keys.count));
    let wanted = sums(ours);
    if wanted[0] != wanted[1] {
        return Err(format!("batches of {} are wrong", ours.name));
    }
    for peer in all {
        let wrong = (0..keys.count)
            .step_by(3)
            .filter(|&i| peer.run.answer(keys, i) != ours.run.answer(keys, i))
            .count();
        if wrong != 0 || sums(peer) != wanted {
            return Err(format!(
                "{wrong} answers of {} are not {}'s, or those of its batches",
                peer.name, ours.name
            ));
        }
    }
    Ok(())
}
