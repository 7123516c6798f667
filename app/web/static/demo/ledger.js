// What a side knows of its memberships, folded from the items of its watch and from nothing else.
export class Ledger {
  constructor() {
    this.members = new Map();
    this.isComplete = false;
    this.snapshot = null;
  }

  /** Take one item in. A snapshot replaces everything, but not before it is complete. */
  take(item) {
    switch (item.__typename) {
      case 'WatchReset':
        this.snapshot = new Map();
        break;
      case 'MemberState':
        this.snapshot ??= new Map();
        this.snapshot.set(item.memberId, memberOf(item));
        break;
      case 'WatchSynced':
        this.members = this.snapshot ?? new Map();
        this.snapshot = null;
        this.isComplete = true;
        break;
      case 'MemberStatusChanged':
        if (item.status === null) this.members.delete(item.memberId);
        else this.members.set(item.memberId, memberOf(item));
    }
  }

  of(imageId) {
    return [...this.members.values()].filter((member) => member.imageId === imageId);
  }

  withStatus(status) {
    return [...this.members.values()].filter((member) => member.status === status);
  }
}

function memberOf({ memberId, imageId, owner, tenant, status }) {
  return { id: memberId, imageId, ownerId: owner.id, tenantId: tenant.id, status };
}
