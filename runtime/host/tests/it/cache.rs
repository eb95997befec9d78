//! The cache of compiled components: only what this host wrote there, for exactly this component and engine, is loaded.
use crate::world::host;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use windlass_host::{Host, HostError};
use windlass_testkit::guest::Guest;

fn cached(folder: &Path) -> Host {
    host(|options| options.cache = Some(folder.to_owned()))
}

/// A host that can only load what is cached.
fn loading(folder: &Path) -> Host {
    host(|options| {
        options.cache = Some(folder.to_owned());
        options.compiler = Some("/nonexistent/compiler".into());
    })
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut entries: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "cwasm")).collect();
    entries.sort();
    entries
}

/// A folder with one component's entry.
async fn with_good() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let good = Guest::new("good").component();
    cached(folder.path()).load(good.clone()).await.unwrap();
    let entry = entries(folder.path()).remove(0);
    loading(folder.path()).load(good.clone()).await.unwrap();
    (folder, entry, good)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_with_the_right_mac_that_the_engine_does_not_take_is_compiled_again() {
    let (folder, entry, good) = with_good().await;
    let key = std::fs::read(folder.path().join("key")).unwrap();
    let right = std::fs::read(&entry).unwrap();
    let name = entry.file_name().unwrap().to_str().unwrap();
    let compatibility = u64::from_str_radix(name.split('.').nth(1).unwrap(), 16).unwrap();
    let code = b"as an engine of another time may have written it";
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(&Sha256::digest(&good));
    mac.update(&compatibility.to_le_bytes());
    mac.update(code);
    std::fs::write(&entry, [&code[..], &mac.finalize().into_bytes()].concat()).unwrap();
    assert!(matches!(loading(folder.path()).load(good.clone()).await.unwrap_err(), HostError::Compile(_)));
    assert_eq!(&*cached(folder.path()).load(good).await.unwrap().name, "good");
    assert_eq!(std::fs::read(&entry).unwrap(), right);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_of_another_version_is_not_looked_at() {
    let (folder, entry, good) = with_good().await;
    let name = entry.file_name().unwrap().to_str().unwrap();
    let (digest, _) = name.split_once('.').unwrap();
    let other = entry.with_file_name(format!("{digest}.{:016x}.cwasm", 1));
    std::fs::rename(&entry, &other).unwrap();
    assert!(loading(folder.path()).load(good.clone()).await.is_err());
    cached(folder.path()).load(good).await.unwrap();
    assert_eq!(entries(folder.path()).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_larger_than_compiled_code_may_be_is_not_read() {
    let (folder, entry, good) = with_good().await;
    let most = usize::try_from(std::fs::metadata(&entry).unwrap().len()).unwrap() - 32;
    for (most, taken) in [(most, true), (most - 1, false)] {
        let host = host(|options| {
            options.cache = Some(folder.path().to_owned());
            options.compiler = Some("/nonexistent/compiler".into());
            options.limits.compile.output_bytes = most;
        });
        assert_eq!(host.load(good.clone()).await.is_ok(), taken);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_others_can_read_or_that_is_broken_is_replaced() {
    for spoil in [
        |key: &Path| std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o644)).unwrap(),
        |key: &Path| std::fs::write(key, [7; 31]).unwrap(),
        |key: &Path| {
            let other = key.with_file_name("planted");
            std::fs::rename(key, &other).unwrap();
            std::os::unix::fs::symlink(&other, key).unwrap();
        },
    ] {
        let (folder, _, good) = with_good().await;
        let key = folder.path().join("key");
        let old = std::fs::read(&key).unwrap();
        spoil(&key);
        assert!(loading(folder.path()).load(good.clone()).await.is_err(), "what the old key covers is nobody's");
        let (new, metadata) = (std::fs::read(&key).unwrap(), std::fs::symlink_metadata(&key).unwrap());
        assert_ne!(new, old);
        assert_eq!((new.len(), metadata.mode() & 0o777, metadata.is_file()), (32, 0o600, true));
        cached(folder.path()).load(good.clone()).await.unwrap();
        loading(folder.path()).load(good).await.unwrap();
    }
}

/// The folder of this user's inside one that is not his.
fn inside(folder: &Path) -> PathBuf {
    let ours = std::fs::metadata("/proc/self").unwrap().uid();
    folder.join(format!("compiled-{ours}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_folder_that_is_not_ours_there_is_one_that_is() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link, other) = (folder.path().join("real"), folder.path().join("link"), folder.path().join("other"));
    std::fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    std::fs::create_dir(&other).unwrap();
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o777)).unwrap();
    // Only root can give a folder away; a link can be made by everybody.
    let given = std::os::unix::fs::chown(&other, Some(12_345), None).is_ok();
    for cache in [Some(link), given.then_some(other)].into_iter().flatten() {
        let good = Guest::new("good").component();
        cached(&cache).load(good.clone()).await.unwrap();
        assert_eq!((entries(&cache).len(), entries(&inside(&cache)).len()), (0, 1));
        assert_eq!(std::fs::metadata(inside(&cache)).unwrap().mode() & 0o777, 0o700);
        loading(&cache).load(good).await.unwrap();
    }
}

#[test]
fn a_planted_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real"), folder.path().join("link"));
    std::fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    std::os::unix::fs::symlink(&real, inside(&link)).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _within = runtime.enter();
    let mut options = crate::world::options();
    options.cache = Some(link);
    let error = Host::new(options).err().unwrap();
    assert!(matches!(&error, HostError::File(why) if why.contains("a folder of its own")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_entries_the_oldest_go() {
    let (folder, entry, good) = with_good().await;
    let content = std::fs::read(&entry).unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(86_400);
    for n in 0..300 {
        let path = folder.path().join(format!("{n:064x}.{n:016x}.cwasm"));
        std::fs::write(&path, &content).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    }
    let half = folder.path().join("x.1.new");
    std::fs::write(&half, "half").unwrap();
    std::fs::File::options().write(true).open(&half).unwrap().set_modified(old).unwrap();
    cached(folder.path()).load(Guest::new("another").component()).await.unwrap();
    assert_eq!(entries(folder.path()).len(), 256);
    assert!(!half.exists());
    loading(folder.path()).load(good).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_can_read_what_is_kept() {
    let (folder, entry, _) = with_good().await;
    for (path, mode) in [(folder.path(), 0o700), (&entry, 0o600), (&folder.path().join("key"), 0o600)] {
        assert_eq!(std::fs::metadata(path).unwrap().mode() & 0o777, mode, "{}", path.display());
    }
}
