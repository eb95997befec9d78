use super::*;
use std::time::Duration;

fn team(name: &str) -> Registrant {
    Registrant::Namespace(name.to_owned())
}

fn aged(cache: &Cache, registrant: &Registrant, bytes: &[u8], seconds: u64) {
    cache.put_blob(registrant, bytes);
    let path = cache.path(registrant, Kind::Blob, &Digest::of(bytes).hex());
    let file = std::fs::File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

#[test]
fn what_is_put_is_there_for_the_same_registrant_alone() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path(), 1 << 20).unwrap();
    let reference: Reference = "oci://registry.example/q:1".parse().unwrap();
    let digest = Digest::of(b"component");
    cache.put_blob(&team("a"), b"component");
    cache.put_tag(&team("a"), &reference, digest);
    assert_eq!(cache.blob(&team("a"), digest).as_deref(), Some(b"component".as_slice()));
    assert_eq!(cache.tag(&team("a"), &reference), Some(digest));
    for other in [team("b"), Registrant::Cluster] {
        assert_eq!((cache.blob(&other, digest), cache.tag(&other, &reference)), (None, None));
    }
    // A new process finds it too, and nobody else may read it.
    let cache = Cache::open(folder.path(), 1 << 20).unwrap();
    assert!(cache.blob(&team("a"), digest).is_some());
    assert_eq!(std::fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o700);
    let path = cache.path(&team("a"), Kind::Blob, &digest.hex());
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_was_changed_on_disk_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path(), 1 << 20).unwrap();
    let digest = Digest::of(b"component");
    cache.put_blob(&Registrant::Cluster, b"component");
    let path = cache.path(&Registrant::Cluster, Kind::Blob, &digest.hex());
    std::fs::write(&path, b"other").unwrap();
    assert_eq!(cache.blob(&Registrant::Cluster, digest), None);
    assert!(!path.exists());
}

#[test]
fn the_oldest_of_the_largest_part_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path(), 100).unwrap();
    let blob = |name: u8| vec![name; 30];
    let has =
        |registrant: &Registrant, name: u8| cache.path(registrant, Kind::Blob, &Digest::of(&blob(name)).hex()).exists();
    aged(&cache, &team("small"), &blob(1), 900);
    aged(&cache, &team("large"), &blob(2), 30);
    aged(&cache, &team("large"), &blob(3), 20);
    // Used now: it is no longer the oldest.
    assert!(cache.blob(&team("large"), Digest::of(&blob(2))).is_some());
    cache.put_blob(&team("large"), &blob(4));
    assert!(has(&team("small"), 1) && has(&team("large"), 2) && has(&team("large"), 4));
    assert!(!has(&team("large"), 3));
    // More than all of it is not kept.
    cache.put_blob(&Registrant::Cluster, &[0; 101]);
    assert!(has(&team("large"), 4) && cache.blob(&Registrant::Cluster, Digest::of(&[0; 101])).is_none());
}
