//! Users, roles, keys, policies and sessions, from their making to their end.

use super::*;

fn store() -> (tempfile::TempDir, PrincipalStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = PrincipalStore::open(&directory.path().join("principals.db")).unwrap();
    (directory, store)
}

fn one(kind: PrincipalKind, name: &str) -> Principal {
    Principal {
        kind,
        name: name.to_owned(),
        id: format!("ID{}{name}", kind.as_str()),
        path: "/".to_owned(),
        created: 5,
        description: None,
        trust: (kind == PrincipalKind::Role).then(|| "{}".to_owned()),
        longest_session: None,
        tags: vec![("a".to_owned(), "b".to_owned())],
    }
}

fn key(id: &str, owner: &str) -> UserKey {
    UserKey {
        id: id.to_owned(),
        owner: owner.to_owned(),
        secret: "secret".to_owned(),
        active: true,
        created: 1,
    }
}

#[tokio::test]
async fn names_are_taken_once_in_any_case_and_for_each_kind() {
    let (_directory, store) = store();
    let user = one(PrincipalKind::User, "Alice");
    store.create(user.clone()).await.unwrap();
    store
        .create(one(PrincipalKind::Role, "Alice"))
        .await
        .unwrap();
    let again = store.create(one(PrincipalKind::User, "ALICE")).await;
    assert!(matches!(again, Err(PrincipalError::Taken)));
    let found = store.find(PrincipalKind::User, "alice").unwrap();
    assert_eq!(found, Some(user.clone()));
    assert_eq!(store.by_id(&user.id).unwrap(), Some(user.clone()));
    assert_eq!(store.list(PrincipalKind::User).unwrap(), [user]);
    assert_eq!(store.find(PrincipalKind::User, "bob").unwrap(), None);
}

#[tokio::test]
async fn a_role_changes_its_trust() {
    let (_directory, store) = store();
    let mut role = one(PrincipalKind::Role, "r");
    let distrust = |role: &mut Principal| {
        role.trust = Some("other".to_owned());
        Ok(())
    };
    let missing = store.change(PrincipalKind::Role, "r", distrust).await;
    assert!(matches!(missing, Err(PrincipalError::NoPrincipal)));
    store.create(role.clone()).await.unwrap();
    // Neither of two changes at once undoes the other.
    let tag = |role: &mut Principal| {
        role.tags.clear();
        Ok(())
    };
    let both = tokio::join!(
        store.change(PrincipalKind::Role, "r", distrust),
        store.change(PrincipalKind::Role, "R", tag),
    );
    assert!(both.0.is_ok() && both.1.is_ok());
    role.trust = Some("other".to_owned());
    role.tags.clear();
    let refused = store.change(PrincipalKind::Role, "r", |role| {
        role.trust = None;
        Err(PrincipalError::TooManyTags)
    });
    assert!(refused.await.is_err());
    assert_eq!(store.find(PrincipalKind::Role, "r").unwrap(), Some(role));
}

#[tokio::test]
async fn policies_are_as_many_and_as_long_as_iam_lets_them_be() {
    let (_directory, store) = store();
    for (kind, longest) in [(PrincipalKind::User, 2048), (PrincipalKind::Role, 10_240)] {
        store.create(one(kind, "x")).await.unwrap();
        let owner = (kind, "x");
        let half = format!("{} \n", "a".repeat(longest / 2));
        for name in ["one", "other", "one"] {
            store.put_policy(owner, name, &half).await.unwrap();
        }
        let more = store.put_policy(owner, "third", "b").await;
        assert!(matches!(more, Err(PrincipalError::PoliciesTooLong(found)) if found == longest));
        store.put_policy(owner, "one", "short").await.unwrap();
        store.put_policy(owner, "third", "b").await.unwrap();
        for number in 0..ATTACHED_AT_MOST {
            let arn = format!("arn:{number}");
            store.attach(owner, &arn, true).await.unwrap();
            store.attach(owner, &arn, true).await.unwrap();
        }
        let more = store.attach(owner, "arn:more", true).await;
        assert!(matches!(more, Err(PrincipalError::TooManyPolicies)));
        let grants = store.grants(&one(kind, "x").id).unwrap();
        assert_eq!(grants.attached.len(), ATTACHED_AT_MOST);
        assert_eq!(grants.inline.len(), 3);
    }
}

#[tokio::test]
async fn a_user_has_two_keys_at_most() {
    let (_directory, store) = store();
    let user = one(PrincipalKind::User, "u");
    store.create(user.clone()).await.unwrap();
    for id in ["A", "B"] {
        store.add_key(key(id, &user.id)).await.unwrap();
    }
    let third = store.add_key(key("C", &user.id)).await;
    assert!(matches!(third, Err(PrincipalError::TooManyKeys)));
    let nobody = store.add_key(key("C", "nobody")).await;
    assert!(matches!(nobody, Err(PrincipalError::NoPrincipal)));
    store.set_key("u", "A", false).await.unwrap();
    assert!(!store.key("A").unwrap().unwrap().active);
    let other = store.set_key("u", "C", false).await;
    assert!(matches!(other, Err(PrincipalError::NoMember("access key"))));
    store.delete_key("u", "A").await.unwrap();
    let left: Vec<_> = store.keys_of(&user.id).unwrap();
    assert_eq!(left, [key("B", &user.id)]);
    assert_eq!(store.key("A").unwrap(), None);
}

#[tokio::test]
async fn policies_are_written_attached_and_removed() {
    let (_directory, store) = store();
    let role = one(PrincipalKind::Role, "r");
    store.create(role.clone()).await.unwrap();
    let owner = (PrincipalKind::Role, "r");
    let managed = ManagedPolicy {
        arn: "arn:p".to_owned(),
        name: "p".to_owned(),
        id: "ANPA".to_owned(),
        path: "/".to_owned(),
        description: None,
        document: "managed".to_owned(),
        created: 1,
        attachments: 0,
    };
    store.create_managed(managed.clone()).await.unwrap();
    let again = store.create_managed(managed.clone()).await;
    assert!(matches!(again, Err(PrincipalError::Taken)));
    store.put_policy(owner, "inline", "old").await.unwrap();
    store.put_policy(owner, "inline", "new").await.unwrap();
    store.attach(owner, "arn:p", false).await.unwrap();
    store.attach(owner, "arn:aws", true).await.unwrap();
    let unknown = store.attach(owner, "arn:q", false).await;
    assert!(matches!(unknown, Err(PrincipalError::NoMember("policy"))));
    let text = str::to_owned;
    let all = Grants {
        inline: vec![(text("inline"), text("new"))],
        attached: vec![
            (text("arn:aws"), None),
            (text("arn:p"), Some(text("managed"))),
        ],
    };
    assert_eq!(store.grants(&role.id).unwrap(), all);
    assert_eq!(store.managed("arn:p").unwrap().unwrap().attachments, 1);
    let in_use = store.delete_managed("arn:p").await;
    assert!(matches!(in_use, Err(PrincipalError::StillHas(_))));
    for arn in ["arn:p", "arn:aws"] {
        let in_use = store.delete(PrincipalKind::Role, "r").await;
        assert!(matches!(in_use, Err(PrincipalError::StillHas(_))));
        store.detach(owner, arn).await.unwrap();
    }
    store.delete_policy(owner, "inline").await.unwrap();
    store.delete(PrincipalKind::Role, "r").await.unwrap();
    store.delete_managed("arn:p").await.unwrap();
    assert_eq!(store.all_managed().unwrap(), []);
}

#[tokio::test]
async fn a_role_s_sessions_end_with_it_and_old_ones_are_forgotten() {
    let (_directory, store) = store();
    let role = one(PrincipalKind::Role, "r");
    store.create(role.clone()).await.unwrap();
    let session = |key: &str, owner: Option<&str>, expires| AssumedSession {
        access_key: key.to_owned(),
        secret: "secret".to_owned(),
        token: "token".to_owned(),
        owner: owner.map(str::to_owned),
        name: Some("name".to_owned()),
        policy: None,
        expires,
    };
    let now = 10 * REMEMBERED_AT_LEAST;
    let old = session("OLD", None, 5);
    let own = session("OWN", Some(&role.id), now);
    store.begin_session(old.clone(), 6).await.unwrap();
    assert_eq!(store.session("OLD").unwrap(), Some(old));
    store.begin_session(own.clone(), now).await.unwrap();
    assert_eq!(store.session("OLD").unwrap(), None);
    assert_eq!(store.session("OWN").unwrap(), Some(own));
    store.delete(PrincipalKind::Role, "r").await.unwrap();
    assert_eq!(store.session("OWN").unwrap(), None);
}

/// A day.
const REMEMBERED_AT_LEAST: i64 = 86_400_000;

#[tokio::test]
async fn only_the_owner_reads_the_files_and_what_was_written_stays() {
    let (directory, store) = store();
    let user = one(PrincipalKind::User, "u");
    store.create(user.clone()).await.unwrap();
    for file in directory.path().read_dir().unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.file_name());
    }
    drop(store);
    let path = directory.path().join("principals.db");
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let store = PrincipalStore::open(&path).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(store.list(PrincipalKind::User).unwrap(), [user]);
}
