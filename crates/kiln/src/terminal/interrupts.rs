//! Ctrl-C, for work that must put something in order before the end.
//!
//! Once a process listens for it, Ctrl-C does not end it any more. It therefore
//! still does whenever nobody has taken it over.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// What a shell says of a process that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// The process's ear for Ctrl-C.
#[derive(Clone)]
pub struct Interrupts {
    pressed: watch::Receiver<u64>,
    holders: Arc<AtomicUsize>,
}

impl Interrupts {
    /// Begins to listen. Until somebody holds it, Ctrl-C ends the process.
    pub fn listen() -> io::Result<Self> {
        let mut signals = signal(SignalKind::interrupt())?;
        let (press, pressed) = watch::channel(0);
        let holders = Arc::new(AtomicUsize::new(0));
        let held = holders.clone();
        // On a thread of its own of the runtime, so that no busy work delays it.
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if held.load(Ordering::SeqCst) == 0 {
                    std::process::exit(INTERRUPTED);
                }
                press.send_modify(|count| *count += 1);
            }
        });
        Ok(Self { pressed, holders })
    }

    /// Takes Ctrl-C over for as long as the answer lives.
    pub fn hold(&self) -> HeldInterrupts {
        self.holders.fetch_add(1, Ordering::SeqCst);
        let mut pressed = self.pressed.clone();
        pressed.mark_unchanged();
        let holders = self.holders.clone();
        HeldInterrupts { pressed, holders }
    }
}

/// Ctrl-C in the hands of whoever waits for it.
pub struct HeldInterrupts {
    pressed: watch::Receiver<u64>,
    holders: Arc<AtomicUsize>,
}

impl HeldInterrupts {
    /// Waits for the next one.
    pub async fn next(&mut self) {
        if self.pressed.changed().await.is_err() {
            // Nobody listens any more, as the process is ending.
            std::future::pending().await
        }
    }
}

impl Drop for HeldInterrupts {
    fn drop(&mut self) {
        self.holders.fetch_sub(1, Ordering::SeqCst);
    }
}
