//! Modules that are compiled already: tasks come by the thousand, and most run the same few.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seedbed_core::contract::BlobId;

use super::Failure;
use super::wasm::Compiled;

/// How many modules are kept compiled in a process; of more, those that were not used for longest go.
pub const MODULES_KEPT: usize = 8;

static KEPT: Mutex<Kept> = Mutex::new(Kept(Vec::new()));

/// A module, compiled before or now. Its bytes are looked at only if it is not kept.
pub(super) fn find(id: BlobId, bytes: Option<&[u8]>) -> Result<Arc<Compiled>, Failure> {
    if let Some(compiled) = kept().find(id) {
        return Ok(compiled);
    }
    let bytes = bytes.ok_or(Failure::NoModule)?;
    // Whoever gave other bytes under this name would change what later tasks run.
    if blake3::hash(bytes).as_bytes() != &id.0 {
        return Err(Failure::Invalid("it is not the one that was named".into()));
    }
    // Nobody waits for it: who needs the same one meanwhile compiles it, too.
    let compiled = Arc::new(Compiled::new(bytes)?);
    kept().keep(id, Arc::clone(&compiled));
    Ok(compiled)
}

fn kept() -> MutexGuard<'static, Kept> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Modules by name, the last used last.
struct Kept(Vec<(BlobId, Arc<Compiled>)>);

impl Kept {
    fn find(&mut self, id: BlobId) -> Option<Arc<Compiled>> {
        let place = self.0.iter().position(|(other, _)| *other == id)?;
        self.0[place..].rotate_left(1);
        self.0.last().map(|(_, compiled)| Arc::clone(compiled))
    }

    fn keep(&mut self, id: BlobId, compiled: Arc<Compiled>) {
        self.0.retain(|(other, _)| *other != id);
        if self.0.len() >= MODULES_KEPT {
            self.0.remove(0);
        }
        self.0.push((id, compiled));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_not_used_for_longest_go() {
        let compiled = Arc::new(Compiled::new(b"\0asm\x01\0\0\0").unwrap());
        let mut kept = Kept(Vec::new());
        let id = |number| BlobId([number; 32]);
        for number in 0..MODULES_KEPT as u8 {
            kept.keep(id(number), Arc::clone(&compiled));
        }
        assert!(kept.find(id(0)).is_some());
        kept.keep(id(100), Arc::clone(&compiled));
        kept.keep(id(100), compiled);
        assert_eq!(kept.0.len(), MODULES_KEPT);
        let is_kept: Vec<bool> = [0, 1, 2, 100].map(|number| kept.find(id(number)).is_some()).into();
        assert_eq!(is_kept, [true, false, true, true]);
    }
}
