//! The faults.

/// Bytes of the blob: headers are long out when half of it is.
pub(super) const SIZE: usize = 4 << 20;

/// Where a body breaks.
pub(super) const HALF: usize = SIZE / 2;

/// By how much a length is wrong.
pub(super) const OFF: u64 = 1000;

/// One of them.
#[derive(Debug)]
pub(super) struct Fault {
    /// In reports.
    pub(super) name: &'static str,
    /// What the client asks for.
    pub(super) ask: Ask,
    /// What the origin does.
    pub(super) deed: Deed,
}

/// What the client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// GET.
    Whole,
    /// GET with `Range: bytes=1000-1999`.
    Range,
    /// HEAD.
    Head,
    /// GET, and hangs up in the middle.
    Leave,
    /// GET, after another blob came over the same connection of the mirror to the origin.
    Second,
}

/// What the origin does, to the first GET of the blob if nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// Its duty.
    Behave,
    /// Half a body, a pause of a second, the other half.
    Pause,
    /// Half a body, and never the other.
    Stall,
    /// Half a body, and a regular end of the connection.
    Truncate,
    /// Half a body, and a reset.
    Reset,
    /// One wrong byte.
    Tamper,
    /// Every range is answered with the whole.
    IgnoreRange,
    /// A Content-Length that is too long.
    TooLong,
    /// A Content-Length that is too short.
    TooShort,
    /// This status.
    Status(u16),
    /// Every GET is sent to another host, which has the blob.
    Redirect,
    /// Every answer is the connection's last, and does not say so.
    Close,
    /// Half a body, then nobody listens for a second.
    Outage,
}

const fn whole(name: &'static str, deed: Deed) -> Fault {
    Fault {
        name,
        ask: Ask::Whole,
        deed,
    }
}

const fn asked(name: &'static str, ask: Ask, deed: Deed) -> Fault {
    Fault { name, ask, deed }
}

/// All of them.
pub(super) static ALL: [Fault; 17] = [
    whole("pause", Deed::Pause),
    whole("stall", Deed::Stall),
    whole("truncate", Deed::Truncate),
    whole("reset", Deed::Reset),
    whole("tamper", Deed::Tamper),
    asked("range-ignored", Ask::Range, Deed::IgnoreRange),
    whole("length-too-long", Deed::TooLong),
    whole("length-too-short", Deed::TooShort),
    whole("status-429", Deed::Status(429)),
    whole("status-500", Deed::Status(500)),
    whole("status-503", Deed::Status(503)),
    whole("redirect", Deed::Redirect),
    asked("connection-closed", Ask::Second, Deed::Close),
    whole("outage", Deed::Outage),
    asked("head", Ask::Head, Deed::Behave),
    asked("range", Ask::Range, Deed::Behave),
    asked("client-leaves", Ask::Leave, Deed::Pause),
];

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn every_fault_has_its_own_name() {
        for (index, fault) in ALL.iter().enumerate() {
            assert!(
                ALL[..index].iter().all(|other| other.name != fault.name),
                "{}",
                fault.name
            );
        }
    }
}
