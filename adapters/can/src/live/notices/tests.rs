use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use signals::{Batch, Gap, Timestamp};

use super::*;

/// Keeps what it is told, or has no room.
#[derive(Default)]
struct Desk {
    full: AtomicBool,
    told: Mutex<Vec<String>>,
}

impl Intake for Desk {
    fn offer(&self, batch: Batch) -> Result<(), Box<Batch>> {
        Err(Box::new(batch))
    }

    fn tell(&self, notice: Notice) -> Result<(), Box<Notice>> {
        if self.full.load(Ordering::SeqCst) {
            return Err(Box::new(notice));
        }
        let Notice::Gap(gap) = notice else { panic!("no event was told") };
        self.told.lock().unwrap().push(gap.detail);
        Ok(())
    }
}

fn gap(number: usize) -> Notice {
    let at = Timestamp::default();
    let detail = number.to_string();
    Notice::Gap(Gap { table: "t".to_owned(), start: Some(at), end: Some(at), cause: "x", detail })
}

#[test]
fn notices_wait_for_room_in_their_order_and_the_overflow_is_counted() {
    let desk = Arc::new(Desk::default());
    let mut notices = Notices::new(Arc::<Desk>::clone(&desk));
    desk.full.store(true, Ordering::SeqCst);
    (0..WAITING_MAX + 3).for_each(|number| notices.tell(gap(number)));
    assert_eq!(notices.lost(), 3);
    desk.full.store(false, Ordering::SeqCst);
    notices.offer();
    let wanted: Vec<String> = (0..WAITING_MAX).map(|number| number.to_string()).collect();
    assert_eq!(*desk.told.lock().unwrap(), wanted);
}
