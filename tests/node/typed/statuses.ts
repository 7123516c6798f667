// What a front end shows for each answer of a consumer: a status that the schema gains must be added here.
import type { MemberStatus } from './generated/graphql'

export function shown(status: MemberStatus): string {
  switch (status) {
    case 'PENDING':
      return 'Not answered yet'
    case 'ACCEPTED':
      return 'In the image list'
    case 'REJECTED':
      return 'Out of the image list'
    default:
      return status satisfies never
  }
}
