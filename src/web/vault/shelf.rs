//! Records under keys in IndexedDB, of which none is lost with a connection.
//!
//! A write is data, so it can be repeated: a connection that died is opened again and the write repeated once. What could not be written
//! stays here, is read as if it were there, and is written when [`Shelf::try_again`] is called. Where a browser keeps nothing,
//! everything stays here for as long as the page lives.
//!
//! A transaction is handed over in the turn of the page in which it begins, requests and commit together: it needs no further turn of a
//! page that may be closed by then.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::{Rc, Weak};

use futures_util::FutureExt;
use futures_util::future::{Either, LocalBoxFuture, Shared, select};
use idb::{
    Database, DatabaseEvent as _, Event as _, Factory, KeyPath, KeyRange, ObjectStoreParams, Query, Request as _, Transaction,
    TransactionMode,
};
use js_sys::{Array, Promise};
use wasm_bindgen::JsValue;
use web_sys::IdbTransaction;

use super::super::js::{get, wait, words};
use super::super::task::sleep;
use super::{BY_PROJECT, PICTURES, STORES};
use crate::error::StorageTrouble;
use crate::sorting;

/// The layout of the stores.
const VERSION: u32 = 1;
/// How long a connection may take to be opened again before the write is given up for now.
const REOPEN_MS: f64 = 10_000.0;

type Result<T> = std::result::Result<T, StorageTrouble>;

/// A record's key: a number, or two. In the browser's order they come the other way around: lists after numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    One(u64),
    Two(u64, u64),
}

impl Key {
    fn js(self) -> JsValue {
        match self {
            Self::One(key) => number(key),
            Self::Two(first, second) => Array::of2(&number(first), &number(second)).into(),
        }
    }
}

/// Numbers of projects and pictures stay below 2^53.
pub(super) fn number(key: u64) -> JsValue {
    (key as f64).into()
}

/// Where a record is: its store and its key.
type Place = (&'static str, Key);

/// A record that is to be there; none: that is not to be there any more.
pub(super) type Change = (&'static str, Key, Option<JsValue>);

/// What is asked for.
pub(super) enum Wanted {
    /// The record of this key.
    One(Key),
    /// All whose keys begin with this number.
    Beginning(u64),
    /// Those of this project, by the store's index.
    OfProject(u64),
    /// Every record.
    All,
    /// The keys of every record.
    Keys,
    /// The keys of those of projects between these numbers, by the store's index.
    Between(Option<u64>, Option<u64>),
}

/// How it stands with what was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// Writes that the browser has not confirmed yet.
    pub writing: usize,
    /// Records that could not be written, and stay in memory.
    pub unsaved: usize,
    /// Why.
    pub why: Option<StorageTrouble>,
    /// Nothing is kept beyond this page.
    pub memory: bool,
}

/// The records.
pub(super) struct Shelf(Rc<Inner>);

struct Inner {
    name: String,
    connection: RefCell<Connection>,
    /// Several may wait for the same connection.
    opening: RefCell<Option<Shared<LocalBoxFuture<'static, Result<()>>>>>,
    /// What the database does not hold yet, by the number of the newest write.
    held: RefCell<BTreeMap<Place, (u64, Option<JsValue>)>>,
    last: Cell<u64>,
    going: RefCell<BTreeSet<u64>>,
    why: RefCell<Option<StorageTrouble>>,
    listener: RefCell<Option<Listener>>,
}

/// Who is told how many writes are waiting.
type Listener = Box<dyn Fn(Standing)>;

enum Connection {
    Open(Rc<Database>),
    /// It died, or was never opened.
    Closed,
    /// A newer page has asked for the database.
    Newer,
    /// There is no storage.
    Nowhere,
}

impl Shelf {
    /// Records of this database, which is made where it is not there.
    pub async fn open(name: &str) -> Result<Self> {
        let shelf = Self::new(name, Connection::Closed);
        shelf.0.open().await?;
        Ok(shelf)
    }

    /// The same, of a database that is open.
    pub fn of(database: Database) -> Self {
        let shelf = Self::new(&database.name(), Connection::Closed);
        shelf.0.take(database);
        shelf
    }

    /// Records that last as long as the page.
    pub fn in_memory(name: &str) -> Self {
        Self::new(name, Connection::Nowhere)
    }

    fn new(name: &str, connection: Connection) -> Self {
        Self(Rc::new(Inner {
            name: name.into(),
            connection: RefCell::new(connection),
            opening: RefCell::new(None),
            held: RefCell::default(),
            last: Cell::new(0),
            going: RefCell::default(),
            why: RefCell::new(None),
            listener: RefCell::new(None),
        }))
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Calls back with every change of the [`Standing`], and once now.
    pub fn on_standing(&self, then: impl Fn(Standing) + 'static) {
        self.0.listener.replace(Some(Box::new(then)));
        self.0.tell();
    }

    /// What of this store is held here: records, or that there is none any more.
    pub fn held(&self, store: &str) -> Vec<(Key, Option<JsValue>)> {
        let held = self.0.held.borrow();
        held.iter().filter(|((of, _), _)| *of == store).map(|((_, key), (_, value))| (*key, value.clone())).collect()
    }

    /// One record.
    pub async fn get(&self, store: &'static str, key: Key) -> Result<Option<JsValue>> {
        let held = self.0.held.borrow().get(&(store, key)).map(|(_, value)| value.clone());
        match held {
            Some(value) => Ok(value),
            None => Ok(self.read(store, &Wanted::One(key)).await?.into_iter().next()),
        }
    }

    /// What the database has of it; what is [held](Self::held) here counts more.
    pub async fn read(&self, store: &'static str, wanted: &Wanted) -> Result<Vec<JsValue>> {
        let mut again = true;
        loop {
            let Some(database) = self.0.connected().await? else { return Ok(Vec::new()) };
            match ask(&database, store, wanted).await {
                Err(reason) if again && of_connection(&reason) => {
                    again = false;
                    self.0.lose(&database);
                }
                read => return read.map_err(|reason| trouble(&reason)),
            }
        }
    }

    /// Writes all of it or nothing.
    pub async fn write(&self, changes: Vec<Change>) -> Result<()> {
        let inner = &self.0;
        inner.last.set(inner.last.get() + 1);
        let write = inner.last.get();
        {
            let mut held = inner.held.borrow_mut();
            // What belongs together stays together: a picture's new record goes with its file that is not written yet.
            let waits =
                |(store, key, _): &Change| Some(held.get(&(*store, *key))?.0).filter(|of| !inner.going.borrow().contains(of));
            let waiting = sorting::set(changes.iter().filter_map(waits));
            held.values_mut().filter(|(of, _)| waiting.contains(of)).for_each(|(of, _)| *of = write);
            held.extend(changes.into_iter().map(|(store, key, value)| ((store, key), (write, value))));
        }
        self.settle(write).await
    }

    /// Writes what could not be written before.
    pub async fn try_again(&self) -> Result<()> {
        let inner = &self.0;
        if matches!(*inner.connection.borrow(), Connection::Nowhere) {
            inner.connection.replace(Connection::Closed);
            if let Err(trouble) = inner.open().await {
                inner.connection.replace(Connection::Nowhere);
                return Err(trouble);
            }
        }
        let waiting = sorting::set(inner.held.borrow().values().map(|(write, _)| *write));
        for write in waiting {
            if !inner.going.borrow().contains(&write) {
                self.settle(write).await?;
            }
        }
        Ok(())
    }

    /// Writes what of this write is held still: a newer one of the same record counts more.
    async fn settle(&self, write: u64) -> Result<()> {
        let inner = &self.0;
        inner.going.borrow_mut().insert(write);
        inner.tell();
        let written = self.commit(write).await;
        inner.going.borrow_mut().remove(&write);
        if matches!(*inner.connection.borrow(), Connection::Nowhere) {
            // What is deleted here is nowhere else.
            inner.held.borrow_mut().retain(|_, (_, value)| value.is_some());
        } else {
            match &written {
                Ok(()) => inner.held.borrow_mut().retain(|_, (of, _)| *of != write),
                Err(trouble) => drop(inner.why.replace(Some(trouble.clone()))),
            }
        }
        inner.tell();
        written
    }

    async fn commit(&self, write: u64) -> Result<()> {
        let inner = &self.0;
        let mut again = true;
        loop {
            let Some(database) = inner.connected().await? else { return Ok(()) };
            let changes: Vec<Change> = {
                let held = inner.held.borrow();
                let of = held.iter().filter(|(_, (of, _))| *of == write);
                of.map(|((store, key), (_, value))| (*store, *key, value.clone())).collect()
            };
            if changes.is_empty() {
                return Ok(());
            }
            match put(&database, &changes).await {
                Err(reason) if again && of_connection(&reason) => {
                    again = false;
                    inner.lose(&database);
                }
                put => return put.map_err(|reason| trouble(&reason)),
            }
        }
    }
}

impl Inner {
    /// The open connection; `None` where there is no storage. At once where it is open.
    async fn connected(self: &Rc<Self>) -> Result<Option<Rc<Database>>> {
        loop {
            match &*self.connection.borrow() {
                Connection::Open(database) => return Ok(Some(database.clone())),
                Connection::Nowhere => return Ok(None),
                Connection::Newer => return Err(StorageTrouble::Newer),
                Connection::Closed => {}
            }
            let opening = std::pin::pin!(self.open());
            match select(opening, std::pin::pin!(sleep(REOPEN_MS))).await {
                Either::Left((opened, _)) => opened?,
                Either::Right(_) => return Err(StorageTrouble::Silent),
            }
        }
    }

    async fn open(self: &Rc<Self>) -> Result<()> {
        let opening = self.opening.borrow().clone();
        let opening = opening.unwrap_or_else(|| {
            let inner = self.clone();
            let opening = async move {
                let opened = open(&inner.name).await;
                inner.opening.replace(None);
                opened.map(|database| inner.take(database))
            };
            opening.boxed_local().shared()
        });
        // Answered already where it did not have to wait.
        self.opening.replace(Some(opening.clone()));
        let opened = opening.await;
        self.opening.replace(None);
        opened
    }

    /// Uses this connection until it dies.
    fn take(self: &Rc<Self>, mut database: Database) {
        let inner = Rc::downgrade(self);
        database.on_close(move |_| ended(&inner, Connection::Closed));
        let inner = Rc::downgrade(self);
        database.on_version_change(move |event| {
            if let Ok(database) = event.database() {
                database.close();
            }
            // Without a version the database is deleted, by the person.
            let newer = get(&event, "newVersion").is_truthy();
            ended(&inner, if newer { Connection::Newer } else { Connection::Closed });
        });
        self.connection.replace(Connection::Open(Rc::new(database)));
        self.tell();
    }

    /// This connection is of no use any more.
    fn lose(&self, database: &Rc<Database>) {
        let mut connection = self.connection.borrow_mut();
        if matches!(&*connection, Connection::Open(open) if Rc::ptr_eq(open, database)) {
            database.close();
            *connection = Connection::Closed;
        }
    }

    fn standing(&self) -> Standing {
        let going = self.going.borrow();
        let memory = matches!(*self.connection.borrow(), Connection::Nowhere);
        let newer = matches!(*self.connection.borrow(), Connection::Newer);
        let unsaved = self.held.borrow().values().filter(|(write, _)| !memory && !going.contains(write)).count();
        let why = self.why.borrow().clone().filter(|_| unsaved > 0);
        Standing { writing: going.len(), unsaved, why: if newer { Some(StorageTrouble::Newer) } else { why }, memory }
    }

    fn tell(&self) {
        let standing = self.standing();
        if let Some(listener) = &*self.listener.borrow() {
            listener(standing);
        }
    }
}

fn ended(inner: &Weak<Inner>, now: Connection) {
    if let Some(inner) = inner.upgrade() {
        let before = inner.connection.replace(now);
        inner.tell();
        // It holds the closure that runs now.
        wasm_bindgen_futures::spawn_local(async move { drop(before) });
    }
}

/// Opens a database and makes what stores it lacks; none is ever taken away.
async fn open(name: &str) -> Result<Database> {
    let factory = Factory::new().map_err(|_| StorageTrouble::Unavailable)?;
    let opened = async {
        let mut request = factory.open(name, Some(VERSION))?;
        request.on_upgrade_needed(|event| {
            if let Err(error) = event.database().and_then(|database| make_stores(&database)) {
                log::error!("the projects' stores cannot be made: {error}");
            }
        });
        request.await
    };
    opened.await.map_err(|error: idb::Error| match trouble(&error.to_string()) {
        StorageTrouble::Broken(reason) => {
            log::warn!("no storage: {reason}");
            StorageTrouble::Unavailable
        }
        other => other,
    })
}

/// Opens a database only if it is there.
pub(super) async fn look_for(name: &str) -> Option<Database> {
    let mut request = Factory::new().ok()?.open(name, None).ok()?;
    request.on_upgrade_needed(|event| {
        // It is not there: it is not made.
        if let Some(transaction) = event.target().ok().and_then(|request| request.transaction()) {
            drop(transaction.abort());
        }
    });
    let database = request.await.ok()?;
    let stores = database.store_names();
    let whole = STORES.iter().all(|store| stores.iter().any(|known| known == store));
    // A newer page's is left alone.
    if whole && database.version().ok()? <= VERSION {
        Some(database)
    } else {
        database.close();
        None
    }
}

fn make_stores(database: &Database) -> std::result::Result<(), idb::Error> {
    let known = database.store_names();
    for name in STORES.into_iter().filter(|name| !known.iter().any(|known| known == name)) {
        let store = database.create_object_store(name, ObjectStoreParams::new())?;
        if name == PICTURES {
            store.create_index(BY_PROJECT, KeyPath::new_single("project"), None)?;
        }
    }
    Ok(())
}

/// The error is the browser's words, beginning with the exception's name.
async fn ask(database: &Database, store: &str, wanted: &Wanted) -> std::result::Result<Vec<JsValue>, String> {
    let asked = async {
        let transaction = database.transaction(&[store], TransactionMode::ReadOnly)?;
        let records = transaction.object_store(store)?;
        Ok(match wanted {
            Wanted::One(key) => records.get(key.js())?.await?.into_iter().collect(),
            Wanted::All => records.get_all(None, None)?.await?,
            Wanted::OfProject(project) => {
                let only = Query::from(KeyRange::only(&number(*project))?);
                records.index(BY_PROJECT)?.get_all(Some(only), None)?.await?
            }
            Wanted::Keys => records.get_all_keys(None, None)?.await?,
            Wanted::Between(after, before) => {
                let range = match (after.map(number), before.map(number)) {
                    (Some(after), Some(before)) => Some(KeyRange::bound(&after, &before, Some(true), Some(true))?),
                    (Some(after), None) => Some(KeyRange::lower_bound(&after, Some(true))?),
                    (None, Some(before)) => Some(KeyRange::upper_bound(&before, Some(true))?),
                    (None, None) => None,
                };
                records.index(BY_PROJECT)?.get_all_keys(range.map(Query::from), None)?.await?
            }
            Wanted::Beginning(first) => {
                // In the order of keys a list comes after every number: these are all that begin with it.
                let (from, to) = (Array::of1(&number(*first)), Array::of2(&number(*first), &Array::new()));
                records.get_all(Some(KeyRange::bound(&from, &to, None, None)?.into()), None)?.await?
            }
        })
    };
    asked.await.map_err(|error: idb::Error| error.to_string())
}

/// The error is the browser's words, with the exception's name.
async fn put(database: &Database, changes: &[Change]) -> std::result::Result<(), String> {
    let stores = sorting::set(changes.iter().map(|(store, ..)| *store));
    let stores: Vec<&str> = stores.into_iter().collect();
    let transaction = database.transaction(&stores, TransactionMode::ReadWrite).map_err(|error| error.to_string())?;
    // The library's own waiting does not tell why a transaction was aborted.
    let raw = IdbTransaction::from(transaction);
    let ended = Promise::new(&mut |done, fail| {
        raw.set_oncomplete(Some(&done));
        raw.set_onabort(Some(&fail));
    });
    let transaction = Transaction::from(raw.clone());
    let asked = changes.iter().try_for_each(|(store, key, value)| {
        let store = transaction.object_store(store)?;
        match value {
            Some(value) => store.put(value, Some(&key.js())).map(drop),
            None => store.delete(key.js()).map(drop),
        }
    });
    let asked = match asked {
        Ok(()) => transaction.commit().map(drop),
        Err(error) => {
            drop(transaction.abort());
            Err(error)
        }
    };
    let ended = wait(ended).await;
    match (asked, ended) {
        (_, Ok(_)) => Ok(()),
        (Err(error), Err(_)) => Err(error.to_string()),
        (Ok(()), Err(_)) => {
            let reason = raw.error().map(|error| format!("{}: {}", error.name(), words(&error)));
            // A browser that aborts without a reason has closed the connection.
            Err(reason.unwrap_or_else(|| "AbortError".into()))
        }
    }
}

/// Whether another connection may do better.
fn of_connection(reason: &str) -> bool {
    ["InvalidStateError", "AbortError", "UnknownError", "TransactionInactiveError"].iter().any(|name| reason.contains(name))
}

fn trouble(reason: &str) -> StorageTrouble {
    match reason {
        reason if reason.contains("Quota") => StorageTrouble::Full,
        reason if reason.contains("VersionError") => StorageTrouble::Newer,
        reason => StorageTrouble::Broken(reason.to_owned()),
    }
}
