// SPDX-License-Identifier: GPL-2.0

//! Values that readers find by a number, and that stay until all of them go.

use core::ptr;
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::Ordering;
use kernel::alloc::Flags;
use kernel::prelude::*;

/// Hash chains; as many numbers as this are found at the first look.
const CHAINS: usize = 128;

struct Node<T> {
    key: u32,
    value: T,
    next: *const Node<T>,
}

/// Values by number, added one by one and dropped together. Readers need no lock.
///
/// # Invariants
///
/// Each pointer in `chains`, and each `next` that is reached from there, is null or owns a node,
/// which is not changed any more.
pub(crate) struct Keyed<T> {
    chains: [AtomicPtr<Node<T>>; CHAINS],
}

// SAFETY: It owns its values, and hands out shared references.
unsafe impl<T: Send> Send for Keyed<T> {}
// SAFETY: As above; whoever adds a value sends it.
unsafe impl<T: Send + Sync> Sync for Keyed<T> {}

impl<T> Keyed<T> {
    /// Bytes that a value takes.
    pub(crate) const NODE: usize = size_of::<Node<T>>();

    pub(crate) fn new() -> Self {
        // INVARIANT: All null.
        Self {
            chains: [const { AtomicPtr::new(ptr::null_mut()) }; CHAINS],
        }
    }

    fn chain(&self, key: u32) -> Option<&AtomicPtr<Node<T>>> {
        self.chains.get(key as usize % CHAINS)
    }

    /// The value that was added last for `key`.
    pub(crate) fn get(&self, key: u32) -> Option<&T> {
        // ORDERING: Acquire, so that the node is seen as it was before it was published.
        let mut at = self.chain(key)?.load(Ordering::Acquire).cast_const();
        // SAFETY: By the type invariant, and nodes live as long as `self`.
        while let Some(node) = unsafe { at.as_ref() } {
            if node.key == key {
                return Some(&node.value);
            }
            at = node.next;
        }
        None
    }

    /// Adds a value.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn add(&self, key: u32, value: T, flags: Flags) -> Result {
        let chain = self.chain(key).ok_or(EINVAL)?;
        let node = KBox::into_raw(KBox::new(
            Node {
                key,
                value,
                next: ptr::null(),
            },
            flags,
        )?);
        let mut first = chain.load(Ordering::Relaxed);
        loop {
            // SAFETY: Nobody else has the node yet.
            unsafe { (*node).next = first };
            // INVARIANT: The node was just given up by its box.
            // ORDERING: Release publishes the node, and those behind it stay published.
            match chain.compare_exchange(first, node, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(now) => first = now,
            }
        }
    }
}

impl<T> Drop for Keyed<T> {
    fn drop(&mut self) {
        for chain in &mut self.chains {
            let mut at = *chain.get_mut();
            while !at.is_null() {
                // SAFETY: By the type invariant, and nobody else is left.
                let node = unsafe { KBox::from_raw(at) };
                at = node.next.cast_mut();
            }
        }
    }
}
