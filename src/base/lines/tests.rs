//! Disks that are full and pipes that nobody empties

use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

const LONG: Duration = Duration::from_secs(30);

/// A disk with so much room left, and what is on it
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<(usize, Vec<u8>, usize)>>);

impl Disk {
    fn with_room(bytes: usize) -> Self {
        Self(Arc::new(Mutex::new((bytes, Vec::new(), 0))))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().1.clone()).unwrap()
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut disk = self.0.lock().unwrap();
        let written = bytes.len().min(disk.0);
        if written == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        disk.0 -= written;
        disk.2 += 1;
        disk.1.extend_from_slice(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A pipe that takes a write for each thing sent
struct Pipe(Receiver<()>, Disk);

impl Pipe {
    fn new() -> (Sender<()>, Disk, Self) {
        let (takes, taken) = channel();
        let disk = Disk::with_room(usize::MAX);
        (takes, disk.clone(), Self(taken, disk))
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lines(sink: Sink, bytes: usize) -> Lines {
    Lines::start("lines", sink, bytes).unwrap()
}

fn until(what: impl Fn() -> bool) {
    let end = Instant::now() + LONG;
    while !what() {
        assert!(Instant::now() < end);
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn lines_are_written_in_their_order_and_many_with_one_call() {
    let (takes, disk, pipe) = Pipe::new();
    let lines = lines(Sink::new(pipe, false), 1 << 20);
    let first = lines.push_awaited(&[b"first", b"\n"]).unwrap();
    until(|| matches!(lines.0.state().thread, Thread::Writing(_)) && lines.waiting().0 == 0);
    let rest: Vec<_> = (0..100).map(|_| lines.push_awaited(&[b"rest\n"]).unwrap()).collect();
    takes.send(()).unwrap();
    takes.send(()).unwrap();
    assert_eq!(first.wait().await, Ok(()));
    for written in rest {
        assert_eq!(written.wait().await, Ok(()));
    }
    assert_eq!(disk.text(), format!("first\n{}", "rest\n".repeat(100)));
    assert_eq!(disk.0.lock().unwrap().2, 2, "two writes");
}

#[tokio::test]
async fn a_line_that_nobody_waits_for_is_written_soon_all_the_same() {
    let disk = Disk::with_room(100);
    let lines = lines(Sink::new(disk.clone(), false), 100);
    for text in ["a\n", "a\nb\n"] {
        lines.push(&[&text.as_bytes()[text.len() - 2..]]).unwrap();
        assert!(lines.flush(LONG));
        assert_eq!(disk.text(), text);
        until(|| lines.0.state().thread == Thread::Asleep);
    }
}

#[tokio::test]
async fn on_a_full_disk_nobody_waits_and_the_half_line_is_ended_when_there_is_room() {
    let disk = Disk::with_room(3);
    let lines = lines(Sink::new(disk.clone(), false), 100);
    let told = lines.push_awaited(&[b"first\n"]).unwrap().wait().await;
    assert_eq!(told, Err(Unwritten::Stuck));
    assert!(matches!(lines.trouble(), Some(Unwritten::Failed(_))));
    assert!(matches!(lines.push_awaited(&[b"second\n"]), Err(Unwritten::Failed(_))), "it is not added");
    lines.push(&[b"third\n"]).unwrap();
    assert_eq!(disk.text(), "fir");
    disk.0.lock().unwrap().0 = 100;
    assert!(lines.flush(LONG));
    assert_eq!((disk.text().as_str(), lines.trouble()), ("first\nthird\n", None));
    assert_eq!(lines.push_awaited(&[b"fourth\n"]).unwrap().wait().await, Ok(()));
}

#[tokio::test]
async fn a_pipe_that_nobody_empties_keeps_nobody_waiting_and_what_waits_is_bounded() {
    let (takes, disk, pipe) = Pipe::new();
    let lines = lines(Sink::new(pipe, false), 10);
    tokio::spawn(lines.watch(|_| {}));
    let told = lines.push_awaited(&[b"12345\n"]).unwrap().wait().await;
    assert_eq!((told, lines.trouble()), (Err(Unwritten::Stuck), Some(Unwritten::Stuck)));
    assert_eq!(lines.push_awaited(&[b"x\n"]).map(|_| ()), Err(Unwritten::Stuck));
    assert_eq!(lines.push(&[b"1234567\n"]), Ok(()));
    assert_eq!(lines.push(&[b"1234567\n"]), Err(Unwritten::Full));
    assert_eq!(lines.push_end(&[b"the end\n"]), Ok(()), "for which there is room");
    assert_eq!(lines.push_end(&[b"the end\n"]), Err(Unwritten::Full));
    takes.send(()).unwrap();
    takes.send(()).unwrap();
    assert!(lines.flush(LONG));
    assert_eq!(disk.text(), "12345\n1234567\nthe end\n");
    assert_eq!(lines.trouble(), None);
}

#[test]
fn what_waits_goes_where_it_was_to_go_and_what_comes_later_elsewhere() {
    let (old, new) = (Disk::with_room(100), Disk::with_room(100));
    let lines = lines(Sink::new(old.clone(), false), 100);
    lines.push(&[b"old\n"]).unwrap();
    assert!(lines.redirect(Sink::new(new.clone(), true), LONG));
    lines.push(&[b"new\n"]).unwrap();
    assert!(lines.flush(LONG));
    assert_eq!((old.text().as_str(), new.text().as_str()), ("old\n", "\nnew\n"), "half a line is ended");
}

#[test]
fn a_line_that_did_not_fit_is_whole_where_lines_go_from_then_on() {
    let (old, new) = (Disk::with_room(8), Disk::with_room(100));
    let lines = lines(Sink::new(old.clone(), false), 100);
    lines.push(&[b"first\n", b"second\n"]).unwrap();
    until(|| lines.trouble().is_some());
    assert!(lines.redirect(Sink::new(new.clone(), false), LONG) && lines.flush(LONG));
    assert_eq!((old.text().as_str(), new.text().as_str()), ("first\nse", "second\n"));
}

#[test]
fn what_waits_is_written_when_nobody_adds_to_it_any_more() {
    let disk = Disk::with_room(100);
    let lines = lines(Sink::new(disk.clone(), false), 100);
    lines.push(&[b"last\n"]).unwrap();
    drop(lines);
    until(|| disk.text() == "last\n");
}
