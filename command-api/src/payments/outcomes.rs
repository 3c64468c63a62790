//! Who waits for a payment's outcome is woken by whoever tells it in the same process: at a sale's end hundreds wait at a
//! time, and each look at the performance is work for its writer.

use socketing_domain::PaymentId;
use std::sync::Arc;
use tokio::sync::Notify;

/// Payments share places. Who waits is woken for another's outcome too, now and then, and looks in vain.
const PLACES: usize = 1_024;

/// Where those wait who want to know a payment's outcome. They must look now and then all the same: another process may
/// tell it, or time may.
#[derive(Clone, Debug)]
pub struct Outcomes(Arc<[Notify]>);

impl Default for Outcomes {
    fn default() -> Outcomes {
        Outcomes((0..PLACES).map(|_| Notify::new()).collect())
    }
}

impl Outcomes {
    /// Where to wait for this payment's outcome.
    pub(crate) fn place(&self, payment: PaymentId) -> &Notify {
        &self.0[payment.0.as_u128() as usize % PLACES]
    }

    /// Wakes who waits for this payment's outcome: it is in the log.
    pub(crate) fn told(&self, payment: PaymentId) {
        self.place(payment).notify_waiters();
    }
}
