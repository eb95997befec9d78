//! The conversation with a server, with the nodes of a cluster one after the other, or with a sentinel and then the master
//! that it names.
use crate::address::{Place, Redirection};
use crate::login::Login;
use crate::resp::{self, Reply};
use crate::{Parameters, Topology, refusal};
use std::collections::VecDeque;
use windlass_sdk::tcp::{Conversation, Progress, Wire};
use windlass_sdk::{Failure, FailureKind, Reading};

/// Counts the items of the key by the command for its type; a key that does not exist has none. In one step, so that the
/// type cannot change in between.
const COUNT: &str = "local kind = redis.call('TYPE', KEYS[1]).ok \
    local count = ({list = 'LLEN', none = 'LLEN', set = 'SCARD', zset = 'ZCARD', hash = 'HLEN'})[kind] \
    if count then return redis.call(count, KEYS[1]) end \
    return redis.error_reply('ERR unsupported key type: ' .. kind)";

/// The conversation of one query.
#[derive(Debug)]
pub struct Session {
    topology: Topology,
    list: String,
    database: u32,
    login: Login,
    sentinel_login: Login,
    sentinel_master: String,
    /// The plan's endpoints.
    known: Vec<Place>,
    /// Index of the endpoint to begin with: the one that answered last time.
    first: usize,
    /// Index of the endpoint over which it now tries.
    entry: usize,
    /// How many of the endpoints have been tried, with this one.
    tried: usize,
    /// Whom it talks to.
    at: Place,
    stage: Stage,
    awaited: VecDeque<Awaited>,
    /// Why what the server counts does not count: it is not the master.
    fault: Option<Failure>,
}

/// What is asked on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// A sentinel for the master.
    Sentinel,
    /// A server for the length.
    Server,
    /// The same where the slot is moving.
    Asking,
}

/// Replies that are due, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Login,
    Database,
    Asking,
    Role,
    Length,
    Master,
}

impl Session {
    /// Of a query; `state` is what an earlier one left.
    pub(crate) fn new(parameters: &Parameters, topology: Topology, state: &[u8]) -> Result<Session, Failure> {
        let addresses = parameters.addresses(topology).map_err(|_| Failure::invalid("there is no address to ask"))?;
        let known: Vec<Place> =
            addresses.into_iter().map(|address| Place { host: address.host, port: address.port }).collect();
        let first = state.first().map(|index| usize::from(*index)).filter(|index| *index < known.len()).unwrap_or(0);
        let at = known.get(first).cloned().ok_or_else(|| Failure::invalid("there is no address to ask"))?;
        Ok(Session {
            topology,
            list: parameters.list_name.clone(),
            database: parameters.database_index,
            login: Login::new(parameters.username.as_ref(), parameters.password.as_ref()),
            sentinel_login: Login::new(parameters.sentinel_username.as_ref(), parameters.sentinel_password.as_ref()),
            sentinel_master: parameters.sentinel_master.clone().unwrap_or_default(),
            known,
            first,
            entry: first,
            tried: 1,
            at,
            stage: Stage::of(topology),
            awaited: VecDeque::new(),
            fault: None,
        })
    }

    fn ask(&mut self, wire: &mut Wire, awaited: Awaited, words: &[&str]) {
        wire.write(&resp::command(words));
        self.awaited.push_back(awaited);
    }

    fn log_in(&mut self, wire: &mut Wire) {
        let login = match self.stage {
            Stage::Sentinel => self.sentinel_login.clone(),
            Stage::Server | Stage::Asking => self.login.clone(),
        };
        if let Some(words) = login.command() {
            self.ask(wire, Awaited::Login, &words);
        }
    }

    /// What a reply means. `None`: the next one is awaited.
    fn answered(&mut self, awaited: Awaited, reply: Reply) -> Result<Option<Progress>, Failure> {
        match (awaited, reply) {
            (Awaited::Login, Reply::Error(error)) => refusal::login(&self.at, &error).map_or(Ok(None), Err),
            // A user who may not choose a database is always in the first.
            (Awaited::Database, Reply::Error(error)) if self.database == 0 && refusal::is_forbidden(&error) => Ok(None),
            (Awaited::Database, Reply::Error(error)) => Err(refusal::database(&self.at, self.database, &error)),
            // Where the role may not be asked for, what the sentinel says has to do, as for KEDA.
            (Awaited::Role, Reply::Error(_)) => Ok(None),
            (Awaited::Role, Reply::Array(role)) => {
                self.fault = self.not_master(&role);
                Ok(None)
            }
            (Awaited::Login | Awaited::Database | Awaited::Asking, Reply::Simple(_)) => Ok(None),
            (Awaited::Length, Reply::Integer(length)) => self.counted(length).map(Some),
            (Awaited::Length, Reply::Error(error)) => self.not_counted(&error).map(Some),
            (Awaited::Master, Reply::Array(parts)) => self.go_to_master(&parts).map(Some),
            (Awaited::Master, Reply::Nil) => {
                let message = format!("the sentinel {} knows no master `{}`", self.at, self.sentinel_master);
                self.turn(Failure::not_found(message)).map(Some)
            }
            (Awaited::Master, Reply::Error(error)) => {
                self.give_up_or_turn(refusal::failure(&self.at, &error)).map(Some)
            }
            (_, Reply::Error(error)) => Err(refusal::failure(&self.at, &error)),
            (..) => Err(Failure::bad_response(format!("{} answered with what was not asked for", self.at))),
        }
    }

    fn counted(&mut self, length: i64) -> Result<Progress, Failure> {
        if let Some(fault) = self.fault.take() {
            return self.turn(fault);
        }
        // Exact up to 2^53, which no server holds.
        let reading = Reading::value(length as f64);
        // Next time the one that answered is asked first: no redirection, and no waiting for one that is down.
        let here = match self.topology {
            Topology::Sentinel => Some(self.entry),
            Topology::Cluster => self.known.iter().position(|known| *known == self.at),
            Topology::Single => None,
        };
        let entry = here.filter(|entry| *entry != self.first).and_then(|entry| u8::try_from(entry).ok());
        Ok(Progress::Done(match entry {
            Some(entry) => reading.state(vec![entry]),
            None => reading,
        }))
    }

    fn not_counted(&mut self, error: &str) -> Result<Progress, Failure> {
        if let Some(fault) = self.fault.take() {
            return self.turn(fault);
        }
        match Redirection::parse(error, &self.at) {
            Some(Redirection { to, once }) if self.topology == Topology::Cluster => {
                self.stage = if once { Stage::Asking } else { Stage::Server };
                Ok(self.go_to(to))
            }
            _ => self.give_up_or_turn(refusal::failure(&self.at, error)),
        }
    }

    /// A server that cannot answer now is left for the next address; any other failure is the answer.
    fn give_up_or_turn(&mut self, failure: Failure) -> Result<Progress, Failure> {
        match failure.kind {
            FailureKind::Unreachable => self.turn(failure),
            // The connection may not be what it was taken for.
            FailureKind::Auth => Err(failure),
            _ => Ok(Progress::Refused(failure)),
        }
    }

    fn go_to_master(&mut self, parts: &[Reply]) -> Result<Progress, Failure> {
        let place = match parts {
            [Reply::Text(host), Reply::Text(port)] if !host.is_empty() => {
                port.parse().ok().filter(|port| *port > 0).map(|port| Place { host: host.clone(), port })
            }
            _ => None,
        };
        let place = place
            .ok_or_else(|| Failure::bad_response(format!("the sentinel {} told no address of the master", self.at)))?;
        self.stage = Stage::Server;
        Ok(self.go_to(place))
    }

    /// On to a place that a server named: one of the plan's, or a new one.
    fn go_to(&mut self, place: Place) -> Progress {
        self.at = place.clone();
        match self.known.iter().position(|known| *known == place).and_then(|index| u32::try_from(index).ok()) {
            Some(index) => Progress::Connect(index),
            None => Progress::Learn { host: place.host, port: place.port },
        }
    }

    /// On to the next address that the user gave, if there is one left.
    fn turn(&mut self, failure: Failure) -> Result<Progress, Failure> {
        let count = self.known.len();
        if self.tried >= count {
            let message = match count {
                1 => failure.message.clone(),
                _ => format!("none of {count} addresses can be asked; the last: {}", failure.message),
            };
            return Ok(Progress::Refused(Failure { message, ..failure }));
        }
        self.tried += 1;
        self.entry = (self.entry + 1) % count;
        self.stage = Stage::of(self.topology);
        match (self.known.get(self.entry).cloned(), u32::try_from(self.entry)) {
            (Some(place), Ok(index)) => {
                self.at = place;
                Ok(Progress::Connect(index))
            }
            _ => Err(failure),
        }
    }

    /// Why the role of a server is not that of the master.
    fn not_master(&self, role: &[Reply]) -> Option<Failure> {
        match role.first() {
            Some(Reply::Text(name)) if name == "master" => None,
            _ => Some(Failure::unreachable(format!("{} is the master no longer: a failover is under way", self.at))),
        }
    }
}

impl Stage {
    /// Where a conversation begins.
    fn of(topology: Topology) -> Stage {
        if topology == Topology::Sentinel { Stage::Sentinel } else { Stage::Server }
    }
}

impl Conversation for Session {
    fn endpoint(&self) -> u32 {
        u32::try_from(self.entry).unwrap_or(0)
    }

    /// Everything in one write: one round trip, with or without a log-in.
    fn connected(&mut self, wire: &mut Wire) -> Result<Progress, Failure> {
        self.awaited.clear();
        self.fault = None;
        if wire.fresh() {
            self.log_in(wire);
        }
        if self.stage == Stage::Sentinel {
            let master = self.sentinel_master.clone();
            self.ask(wire, Awaited::Master, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", &master]);
            return Ok(Progress::Wait);
        }
        // A connection that was kept is in the database of whoever used it last. A cluster has one.
        if self.topology != Topology::Cluster && (self.database != 0 || !wire.fresh()) {
            let database = self.database.to_string();
            self.ask(wire, Awaited::Database, &["SELECT", &database]);
        }
        if self.topology == Topology::Sentinel {
            self.ask(wire, Awaited::Role, &["ROLE"]);
        }
        if self.stage == Stage::Asking {
            self.ask(wire, Awaited::Asking, &["ASKING"]);
        }
        let list = self.list.clone();
        self.ask(wire, Awaited::Length, &["EVAL", COUNT, "1", &list]);
        Ok(Progress::Wait)
    }

    fn received(&mut self, wire: &mut Wire) -> Result<Progress, Failure> {
        while let Some(awaited) = self.awaited.front().copied() {
            let decoded = resp::decode(wire.input());
            let decoded = decoded.map_err(|why| Failure::bad_response(format!("{} {why}", self.at)))?;
            let Some((reply, length)) = decoded else { return Ok(Progress::Wait) };
            wire.consume(length);
            self.awaited.pop_front();
            if let Some(progress) = self.answered(awaited, reply)? {
                return Ok(progress);
            }
        }
        Err(Failure::bad_response(format!("{} spoke without being asked", self.at)))
    }

    fn lost(&mut self, failure: Failure) -> Result<Progress, Failure> {
        self.turn(failure)
    }

    fn alternatives(&self) -> u32 {
        // Whom a server named has all the time: the others would name it too.
        if self.known.get(self.entry) != Some(&self.at) {
            return 0;
        }
        u32::try_from(self.known.len().saturating_sub(self.tried)).unwrap_or(0)
    }
}
