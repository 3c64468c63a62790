//! Passwords: argon2id in a pool of its own threads, bounded, so that a flood of sign-ins at an opening costs neither the
//! writers their turn nor the process its memory.
//!
//! A job whose client has gone away is skipped. A full queue is told to come back later, not made to wait.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString},
};
use rand::RngCore;
use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// OWASP's parameters for argon2id (Password Storage Cheat Sheet): 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
/// Assumed until the first job has been timed.
const FIRST_GUESS: Duration = Duration::from_millis(40);

/// Characters of a password.
pub const CHARS: std::ops::RangeInclusive<usize> = 6..=128;

/// Why a password couldn't be hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too many wait already.
    #[error("the password pool is full; try again in {} s", .retry_after.as_secs())]
    Busy {
        /// When there will be room, by the time that jobs take now.
        retry_after: Duration,
    },
    /// The kept hash isn't one, or argon2 refuses.
    #[error("argon2 failed")]
    Broken(#[source] argon2::password_hash::Error),
}

/// A password on its way. Not shown in logs.
struct Secret(String);

enum Task {
    Hash { password: Secret, answer: oneshot::Sender<Result<String, argon2::password_hash::Error>> },
    Verify { password: Secret, hash: String, answer: oneshot::Sender<Result<bool, argon2::password_hash::Error>> },
}

impl Task {
    fn is_wanted(&self) -> bool {
        match self {
            Task::Hash { answer, .. } => !answer.is_closed(),
            Task::Verify { answer, .. } => !answer.is_closed(),
        }
    }

    fn run(self, argon2: &Argon2<'_>) {
        match self {
            Task::Hash { password, answer } => drop(answer.send(hash(argon2, &password.0))),
            Task::Verify { password, hash, answer } => drop(answer.send(verify(argon2, &password.0, &hash))),
        }
    }
}

/// The pool. Cheap to clone; its threads end with its last clone.
#[derive(Clone)]
pub struct HashPool(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    added: Condvar,
    queue_max: usize,
    threads: usize,
    /// What a job takes, in microseconds: a running mean.
    takes_us: AtomicU64,
}

#[derive(Default)]
struct Queue {
    tasks: VecDeque<Task>,
    closed: bool,
}

impl fmt::Debug for HashPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HashPool({} threads, at most {} waiting)", self.0.shared.threads, self.0.shared.queue_max)
    }
}

impl HashPool {
    /// Starts so many threads, for at most so many waiting jobs.
    ///
    /// # Errors
    /// If a thread can't be started.
    pub fn start(threads: usize, queue_max: usize) -> std::io::Result<HashPool> {
        let takes_us = AtomicU64::new(FIRST_GUESS.as_micros() as u64);
        let shared = Arc::new(Shared { queue: Mutex::default(), added: Condvar::new(), queue_max, threads, takes_us });
        let pool = HashPool(Arc::new(Handle { shared: Arc::clone(&shared) }));
        for number in 0..threads {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name(format!("password-{number}")).spawn(move || shared.work())?;
        }
        Ok(pool)
    }

    /// The hash to keep, with its parameters and a new salt (PHC string).
    ///
    /// # Errors
    /// [`PasswordError::Busy`] if too many wait.
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        let (answer, hashed) = oneshot::channel();
        self.0.shared.add(Task::Hash { password: Secret(password), answer })?;
        hashed.await.map_err(|_| self.0.shared.busy(0))?.map_err(PasswordError::Broken)
    }

    /// Whether it is the password that was hashed.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] if too many wait; [`PasswordError::Broken`] if the kept hash isn't one.
    pub async fn verify(&self, password: String, hash: String) -> Result<bool, PasswordError> {
        let (answer, compared) = oneshot::channel();
        self.0.shared.add(Task::Verify { password: Secret(password), hash, answer })?;
        compared.await.map_err(|_| self.0.shared.busy(0))?.map_err(PasswordError::Broken)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.added.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, task: Task) -> Result<(), PasswordError> {
        let mut queue = self.lock();
        if queue.tasks.len() >= self.queue_max {
            queue.tasks.retain(Task::is_wanted);
        }
        if queue.tasks.len() >= self.queue_max {
            return Err(self.busy(queue.tasks.len()));
        }
        queue.tasks.push_back(task);
        drop(queue);
        self.added.notify_one();
        Ok(())
    }

    /// Told to those who find the queue full: half of it is done by then.
    fn busy(&self, waiting: usize) -> PasswordError {
        let each = Duration::from_micros(self.takes_us.load(Ordering::Relaxed));
        let half = u32::try_from(waiting / 2 / self.threads.max(1)).unwrap_or(u32::MAX);
        PasswordError::Busy { retry_after: each.saturating_mul(half).max(Duration::from_secs(1)) }
    }

    fn work(&self) {
        let argon2 = owasp();
        while let Some(task) = self.next() {
            if !task.is_wanted() {
                continue;
            }
            let begun = Instant::now();
            if catch_unwind(AssertUnwindSafe(|| task.run(&argon2))).is_err() {
                tracing::error!("hashing a password panicked; its thread goes on"); // its client is told as if it were busy
            }
            let (took, mean) = (begun.elapsed().as_micros() as u64, self.takes_us.load(Ordering::Relaxed));
            self.takes_us.store((mean * 7 + took) / 8, Ordering::Relaxed);
        }
    }

    fn next(&self) -> Option<Task> {
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return None;
            }
            if let Some(task) = queue.tasks.pop_front() {
                return Some(task);
            }
            queue = self.added.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn owasp() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("OWASP's parameters are within argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(argon2: &Argon2<'_>, password: &str) -> Result<String, argon2::password_hash::Error> {
    let mut salt = [0; SALT_BYTES];
    rand::rng().fill_bytes(&mut salt);
    let salt = SaltString::encode_b64(&salt)?;
    Ok(argon2.hash_password(password.as_bytes(), &salt)?.to_string())
}

/// By the parameters that the hash names.
fn verify(argon2: &Argon2<'_>, password: &str, hash: &str) -> Result<bool, argon2::password_hash::Error> {
    match argon2.verify_password(password.as_bytes(), &PasswordHash::new(hash)?) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::Password) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let pool = HashPool::start(1, 10).unwrap();
        let hash = pool.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(pool.verify("correct horse".into(), hash.clone()).await.unwrap());
        assert!(!pool.verify("wrong horse".into(), hash.clone()).await.unwrap());
        assert_ne!(pool.hash("correct horse".into()).await.unwrap(), hash, "each hash has a salt of its own");
    }

    #[tokio::test]
    async fn a_broken_hash_is_an_error_and_no_match() {
        let pool = HashPool::start(1, 10).unwrap();
        assert!(matches!(pool.verify("x".into(), "nonsense".into()).await, Err(PasswordError::Broken(_))));
    }

    #[tokio::test]
    async fn a_full_queue_is_told_when_to_come_back() {
        let pool = HashPool::start(0, 2).unwrap(); // nobody works, so what is added stays
        let shared = &pool.0.shared;
        let task = || {
            let (answer, answered) = oneshot::channel();
            (Task::Hash { password: Secret("x".into()), answer }, answered)
        };
        let ((first, _kept), (second, left)) = (task(), task());
        shared.add(first).unwrap();
        shared.add(second).unwrap();
        match pool.hash("y".into()).await {
            Err(PasswordError::Busy { retry_after }) => assert!(retry_after >= Duration::from_secs(1)),
            other => panic!("{other:?}"),
        }
        drop(left); // its client goes away, which makes room
        let (third, _kept_too) = task();
        shared.add(third).unwrap();
    }

    #[tokio::test]
    async fn the_threads_end_with_the_pool() {
        let pool = HashPool::start(2, 2).unwrap();
        let shared = Arc::downgrade(&pool.0.shared);
        pool.hash("x".into()).await.unwrap();
        drop(pool);
        while shared.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
