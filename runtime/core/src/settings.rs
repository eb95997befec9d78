//! The numbers that an operator may set. Everything else follows from the objects themselves.
use crate::algorithm::Flags;
use crate::query::QueryIdentity;
use std::time::Duration;

/// What the rules are tuned by.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How often the source of an active trigger is asked, whatever its `pollingInterval`: the HPA controller's period.
    pub read_interval: Duration,
    /// Queries per batch at most.
    pub batch_max: usize,
    /// A poll must end within this, and within its query's period.
    pub poll_budget: Duration,
    /// How long a new or changed object may wait for its first outcomes before its status is written without them.
    pub settle: Duration,
    /// First polls of new queries per source and second: a restart asks a source of ten thousand queries over seconds.
    pub first_polls_per_second: u32,
    /// How long new queries are gathered before their first poll, so that those that come together share a batch.
    pub gather: Duration,
    /// A value that is averaged may be used this many periods long; one that is not, for a single one.
    pub usable_periods: u32,
    /// The longest pause between polls of a query that cannot work (refused credentials, invalid, quarantined), and the
    /// longest `retry_after` that is honoured.
    pub failure_cap: Duration,
    /// Pause before a failed write is tried again; doubles at every failure.
    pub write_retry: Duration,
    /// The longest pause between two tries of a write.
    pub write_retry_cap: Duration,
    /// A write whose end is not told within this counts as failed.
    pub write_deadline: Duration,
    /// The watch may lag this far behind our own writes.
    pub watch_lag: Duration,
    /// An HPA must be unable to scale this long before the object says so.
    pub hpa_trouble: Duration,
    /// The direct engine: what the flags of the HPA controller are to an HPA.
    pub direct: Flags,
    /// A deleted object is let go after this, whether or not its replicas could be restored.
    pub delete_deadline: Duration,
    /// Tell metrics of every object by itself (see [`crate::fact::Fact::Object`]).
    pub tell_objects: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            read_interval: Duration::from_secs(15),
            batch_max: 64,
            poll_budget: Duration::from_secs(10),
            settle: Duration::from_secs(5),
            first_polls_per_second: 2_000,
            gather: Duration::from_millis(50),
            usable_periods: 3,
            failure_cap: Duration::from_secs(300),
            write_retry: Duration::from_secs(1),
            write_retry_cap: Duration::from_secs(60),
            write_deadline: Duration::from_secs(60),
            watch_lag: Duration::from_secs(5),
            hpa_trouble: Duration::from_secs(60),
            direct: Flags::default(),
            delete_deadline: Duration::from_secs(30),
            tell_objects: false,
        }
    }
}

/// A number that is spread evenly and always the same for the same seeds: jitter without a source of randomness.
pub(crate) fn spread(seed: u64, turn: u64) -> u64 {
    // The finaliser of splitmix64.
    let mut z = seed.wrapping_add(turn.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A seed from an identity.
pub(crate) fn seed(identity: &QueryIdentity) -> u64 {
    seed_of(&identity.0.0)
}

/// A seed from bytes (FNV-1a).
pub(crate) fn seed_of(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// `first × 2^(attempts − 1)`, at most `cap`, and of that a share between three quarters and all.
pub fn backoff(first: Duration, cap: Duration, attempts: u32, seed: u64) -> Duration {
    let doubled = first.saturating_mul(1u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX)).min(cap);
    let quarter = doubled / 4;
    let share = (spread(seed, u64::from(attempts)) % 1024) as u32;
    doubled - quarter * share / 1024
}
