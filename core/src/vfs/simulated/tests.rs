//! Each thing the simulated file system does to its users.

use super::*;

const DIRECTORY: &str = "/data";

fn vfs() -> SimVfs {
    let vfs = SimVfs::new(1);
    vfs.create_directories(Path::new(DIRECTORY)).unwrap();
    vfs
}

fn path(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

fn put(vfs: &SimVfs, name: &str, bytes: &[u8]) -> Arc<dyn VfsFile> {
    let file = vfs.create(&path(name)).unwrap();
    write(&*file, 0, bytes).unwrap();
    file
}

fn write(file: &dyn VfsFile, at: u64, bytes: &[u8]) -> io::Result<()> {
    file.write(&mut [IoSlice::new(bytes)], at)
}

fn put_durable(vfs: &SimVfs, name: &str, bytes: &[u8]) -> Arc<dyn VfsFile> {
    let file = put(vfs, name, bytes);
    file.sync().unwrap();
    vfs.sync_directory(Path::new(DIRECTORY)).unwrap();
    file
}

/// What a file has after many power cuts.
fn fates(vfs: &SimVfs, name: &str) -> BTreeSet<Option<Vec<u8>>> {
    let cuts = (0..200).map(|seed| vfs.copy().power_on(seed));
    cuts.map(|left| left.content(&path(name)).ok().map(|bytes| bytes.to_vec()))
        .collect()
}

#[test]
fn what_is_synced_survives_every_power_cut() {
    let vfs = vfs();
    put_durable(&vfs, "a", &[7; 10_000]);
    assert_eq!(fates(&vfs, "a"), BTreeSet::from([Some(vec![7; 10_000])]));
}

#[test]
fn a_name_is_durable_with_its_directory_and_a_length_with_its_file() {
    let vfs = vfs();
    put(&vfs, "a", b"x").sync().unwrap();
    let fates_of_a = fates(&vfs, "a");
    assert_eq!(fates_of_a, BTreeSet::from([None, Some(b"x".to_vec())]));
    vfs.sync_directory(Path::new(DIRECTORY)).unwrap();
    vfs.open(&path("a")).unwrap().allocate(600).unwrap();
    let lengths: BTreeSet<usize> = fates(&vfs, "a").iter().flatten().map(Vec::len).collect();
    assert_eq!(lengths, BTreeSet::from([1, 600]));
}

#[test]
fn unsynced_pages_are_old_new_or_torn_at_sectors() {
    let vfs = vfs();
    let file = put_durable(&vfs, "a", &[1; 8192]);
    write(&*file, 0, &[2; 8192]).unwrap();
    let fates = fates(&vfs, "a");
    let pages: Vec<&[u8]> = fates
        .iter()
        .flatten()
        .flat_map(|all| all.chunks(4096))
        .collect();
    let is = |page: &[u8], byte: u8| page.iter().all(|found| *found == byte);
    assert!(pages.iter().any(|page| is(page, 1)), "dropped");
    assert!(pages.iter().any(|page| is(page, 2)), "kept");
    assert!(
        pages.iter().any(|page| !is(page, 1) && !is(page, 2)),
        "torn"
    );
    for sector in pages.iter().flat_map(|page| page.chunks(512)) {
        assert!(is(sector, 1) || is(sector, 2), "a sector is whole");
    }
    let mixed = |all: &Vec<u8>| is(&all[..4096], 1) && is(&all[4096..], 2);
    assert!(fates.iter().flatten().any(mixed), "each page on its own");
}

#[test]
fn a_replaced_file_is_the_old_or_the_new_one() {
    let vfs = vfs();
    put_durable(&vfs, "a", b"old");
    put(&vfs, "new", b"new").sync().unwrap();
    vfs.rename(&path("new"), &path("a")).unwrap();
    let both = BTreeSet::from([Some(b"old".to_vec()), Some(b"new".to_vec())]);
    assert_eq!(fates(&vfs, "a"), both);
    vfs.sync_directory(Path::new(DIRECTORY)).unwrap();
    assert_eq!(fates(&vfs, "a"), BTreeSet::from([Some(b"new".to_vec())]));
    assert_eq!(fates(&vfs, "new"), BTreeSet::from([None]));
}

#[test]
fn a_removed_name_may_come_back_until_its_directory_is_synced() {
    let vfs = vfs();
    put_durable(&vfs, "a", b"x");
    vfs.remove(&path("a")).unwrap();
    assert_eq!(fates(&vfs, "a").len(), 2);
    vfs.sync_directory(Path::new(DIRECTORY)).unwrap();
    assert_eq!(fates(&vfs, "a"), BTreeSet::from([None]));
}

#[test]
fn a_killed_process_loses_nothing_and_its_writes_are_still_not_on_the_disk() {
    let vfs = vfs();
    put_durable(&vfs, "a", b"old");
    write(&*vfs.open(&path("a")).unwrap(), 0, b"new").unwrap();
    let killed = vfs.copy();
    assert_eq!(killed.content(&path("a")).unwrap(), &b"new"[..]);
    assert!(fates(&killed, "a").contains(&Some(b"old".to_vec())));
}

#[test]
fn planned_faults_hit_their_call_and_no_other() {
    let vfs = vfs();
    let file = put_durable(&vfs, "a", b"0000");
    let fault = |call, after, effect| {
        vfs.plan(Fault {
            call,
            after,
            effect,
        })
    };
    fault(Some(Call::Write), 1, Effect::NoSpace);
    fault(Some(Call::Rename), 0, Effect::Failed);
    write(&*file, 0, b"1").unwrap();
    let full = write(&*file, 0, b"2").unwrap_err();
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    assert!(vfs.rename(&path("a"), &path("b")).is_err());
    assert_eq!(vfs.content(&path("a")).unwrap(), &b"1000"[..]);
    fault(Some(Call::Write), 0, Effect::Partial);
    assert!(write(&*file, 0, b"2222").is_err());
    let content = vfs.content(&path("a")).unwrap();
    assert!(
        content.iter().all(|byte| b"120".contains(byte)),
        "{content:?}"
    );
}

#[test]
fn a_forgetful_sync_fails_once_and_lies_ever_after() {
    let vfs = vfs();
    let file = put_durable(&vfs, "a", b"old");
    write(&*file, 0, b"new").unwrap();
    vfs.plan(Fault {
        call: Some(Call::Sync),
        after: 0,
        effect: Effect::Forgetful,
    });
    assert!(file.sync().is_err());
    file.sync().unwrap();
    assert_eq!(vfs.content(&path("a")).unwrap(), &b"new"[..]);
    assert_eq!(fates(&vfs, "a"), BTreeSet::from([Some(b"old".to_vec())]));
    write(&*file, 0, b"n").unwrap();
    file.sync().unwrap();
    let whole = BTreeSet::from([Some(b"new".to_vec())]);
    assert_eq!(
        fates(&vfs, "a"),
        whole,
        "a page that is dirty again is written whole"
    );
}

#[test]
fn the_room_is_bounded_and_can_grow() {
    let vfs = vfs();
    vfs.set_capacity(Some(100));
    let file = put(&vfs, "a", &[0; 60]);
    assert_eq!(
        file.allocate(101).unwrap_err().kind(),
        io::ErrorKind::StorageFull
    );
    assert_eq!(
        write(&*file, 60, &[0; 41]).unwrap_err().kind(),
        io::ErrorKind::StorageFull
    );
    let space = vfs.space(Path::new(DIRECTORY)).unwrap();
    assert_eq!((space.used, space.available), (60, 40));
    vfs.set_capacity(None);
    file.allocate(1000).unwrap();
}

#[test]
fn a_power_cut_at_any_call_fails_it_and_all_that_follow() {
    let script = |vfs: &SimVfs| -> io::Result<()> {
        let file = vfs.create(&path("a"))?;
        write(&*file, 0, b"x")?;
        file.sync()?;
        vfs.rename(&path("a"), &path("b"))?;
        vfs.sync_directory(Path::new(DIRECTORY))
    };
    let whole = vfs();
    let before = whole.calls();
    script(&whole).unwrap();
    for call in 0..whole.calls() - before {
        let vfs = vfs();
        vfs.cut_power_after(call);
        let error = script(&vfs).unwrap_err();
        assert_eq!(error.to_string(), power_is_off().to_string());
        assert!(vfs.is_off() && vfs.list(Path::new(DIRECTORY)).is_err());
        assert!(vfs.power_on(3).list(Path::new(DIRECTORY)).is_ok());
    }
    assert_eq!(whole.counts().get(&Call::Sync), Some(&1));
}

#[test]
fn a_flipped_bit_is_on_the_disk() {
    let vfs = vfs();
    put_durable(&vfs, "a", &[0; 9]);
    vfs.flip_bit(&path("a"), 3, 1).unwrap();
    assert_eq!(vfs.content(&path("a")).unwrap()[3], 2);
    vfs.flip_bit(&path("a"), 3, 1).unwrap();
    vfs.flip_any_bit(&path("a")).unwrap();
    let left = vfs.power_on(5).content(&path("a")).unwrap();
    assert_eq!(left.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
}

#[test]
fn what_was_read_does_not_change_when_the_file_is_written_again() {
    let vfs = vfs();
    let file = put(&vfs, "a", b"old");
    let read = file.read(0, 99).unwrap();
    write(&*file, 0, b"new").unwrap();
    assert_eq!(read, &b"old"[..]);
    assert!(file.give_up_reads());
}

#[test]
fn a_lock_has_one_holder() {
    let vfs = vfs();
    let held = vfs.lock(&path("lock")).unwrap();
    let second = vfs.lock(&path("lock")).err().unwrap();
    assert_eq!(second.kind(), io::ErrorKind::WouldBlock);
    drop(held);
    vfs.lock(&path("lock")).unwrap();
}

#[test]
fn the_same_seed_makes_the_same_cut() {
    let vfs = vfs();
    let file = put_durable(&vfs, "a", &[1; 40_000]);
    write(&*file, 0, &[2; 40_000]).unwrap();
    let image = |seed| vfs.copy().power_on(seed).content(&path("a")).unwrap();
    assert_eq!(image(9), image(9));
}
