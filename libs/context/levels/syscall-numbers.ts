/** Numbers of system calls on x64 and arm64; null where an architecture has none. Checked against linux-libc-dev 6.1 in a test. */
export type Numbers = readonly [x64: number, arm64: number | null]

/** New sockets (the broker is inherited), key rings, other processes, bpf, namespaces, mounts, queues, modules, io_uring. */
export const REFUSED: Record<string, Numbers> = {
  socket: [41, 198],
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  kcmp: [312, 272],
  bpf: [321, 280],
  userfaultfd: [323, 282],
  unshare: [272, 97],
  setns: [308, 268],
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  perf_event_open: [298, 241],
  name_to_handle_at: [303, 264],
  open_by_handle_at: [304, 265],
  personality: [135, 92],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  shmget: [29, 194],
  shmat: [30, 196],
  shmctl: [31, 195],
  shmdt: [67, 197],
  semget: [64, 190],
  semop: [65, 193],
  semctl: [66, 191],
  semtimedop: [220, 192],
  msgget: [68, 186],
  msgsnd: [69, 189],
  msgrcv: [70, 188],
  msgctl: [71, 187],
  mq_open: [240, 180],
  mq_unlink: [241, 181],
  mq_timedsend: [242, 182],
  mq_timedreceive: [243, 183],
  mq_notify: [244, 184],
  mq_getsetattr: [245, 185],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  pidfd_getfd: [438, 438],
  mount_setattr: [442, 442],
}

/** Of those, what a launcher needs itself; io_uring_enter is of no use to who may set up no ring. */
export const LAUNCHING =
  'io_uring_enter unshare setns mount umount2 pivot_root chroot personality open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr'.split(
    ' ',
  )

/**
 * What a process may do to others of its own uid, and to their files, beyond what Landlock judges: rights, owners, times
 * and attributes of files, watching them, and the limits and priorities of processes.
 */
export const REFUSED_AT_SAME_UID: Record<string, Numbers> = {
  chmod: [90, null],
  fchmod: [91, 52],
  fchmodat: [268, 53],
  chown: [92, null],
  fchown: [93, 55],
  lchown: [94, null],
  fchownat: [260, 54],
  setxattr: [188, 5],
  lsetxattr: [189, 6],
  fsetxattr: [190, 7],
  removexattr: [197, 14],
  lremovexattr: [198, 15],
  fremovexattr: [199, 16],
  utime: [132, null],
  utimes: [235, null],
  utimensat: [280, 88],
  futimesat: [261, null],
  inotify_add_watch: [254, 27],
  fanotify_init: [300, 262],
  setpriority: [141, 140],
  ioprio_set: [251, 30],
  sched_setaffinity: [203, 122],
  sched_setscheduler: [144, 119],
  sched_setparam: [142, 118],
  sched_setattr: [314, 274],
  setrlimit: [160, 164],
  fchmodat2: [452, 452],
  setxattrat: [463, 463],
  removexattrat: [466, 466],
  open_tree_attr: [467, 467],
  file_setattr: [469, 469],
}

/** Judged by their arguments. */
export const JUDGED = {
  socketpair: [53, 199],
  clone: [56, 220],
  clone3: [435, 435],
  fork: [57, null],
  vfork: [58, null],
  prlimit64: [302, 261],
} satisfies Record<string, Numbers>
