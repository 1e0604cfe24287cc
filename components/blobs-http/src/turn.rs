//! Who stores an object, and what the others do: wait a while for that, because it spares the
//! origin a transfer, and then go past the store, because clients wait for headers half a minute
//! and not longer.

use crate::answer::Way;
use crate::bindings::exports::ledge::edge::blobs::Error;
use crate::bindings::wasi::clocks::monotonic_clock::wait_for;
use crate::fill::Wanted;
use crate::leases::{self, Claim};
use crate::serve::Served;
use std::time::Duration;

/// How long is waited between two looks at a lease: at first what a small object takes, then as
/// long as nobody minds beside a large one.
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);

/// Whose turn it is.
pub(crate) enum Turn {
    /// This caller's: it stores the object.
    Mine(Claim),
    /// It was another's, and the object is there.
    Stored(Served),
    /// It is another's for too long.
    Theirs,
}

/// Takes the duty to store an object, or waits for who has it.
pub(crate) async fn take(wanted: &Wanted) -> Result<Turn, Error> {
    let (settings, digest) = (&wanted.settings, &wanted.digest);
    let mut left = Duration::from_secs(settings.wait.into());
    let mut pause = FIRST;
    while leases::is_held(settings, digest).await {
        if left.is_zero() {
            return Ok(Turn::Theirs);
        }
        let now = pause.min(left);
        wait_for(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)).await;
        left = left.saturating_sub(now);
        pause = pause.saturating_mul(2).min(LONGEST);
    }
    if pause > FIRST
        && let Some(served) = wanted.stored(Way::Joined).await?
    {
        return Ok(Turn::Stored(served));
    }
    Ok(match leases::claim(settings, digest).await {
        Some(claim) => Turn::Mine(claim),
        None => Turn::Theirs,
    })
}
